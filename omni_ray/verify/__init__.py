"""Reading the training files back: independent of what wrote them, and as strict as the trainers are fragile.

from omni_ray.verify import verify
report = verify("project")
for finding in report.findings:
    print(finding.file, finding.line, finding.message, finding.trainers, finding.consequence)
"""

from typing import TYPE_CHECKING

from omni_ray.later import later

if TYPE_CHECKING:
    from omni_ray.verify.checks import CHECKS, Check
    from omni_ray.verify.report import Example, FileReport, Finding, VerifyReport
    from omni_ray.verify.run import verify

__all__ = ["CHECKS", "Check", "Example", "FileReport", "Finding", "VerifyReport", "verify"]

__getattr__ = later(
    __name__,
    {
        "omni_ray.verify.checks": ("CHECKS", "Check"),
        "omni_ray.verify.report": ("Example", "FileReport", "Finding", "VerifyReport"),
        "omni_ray.verify.run": ("verify",),
    },
)
