"""The training plan: tokens, model sizes, schedules, configs."""
