"""One Ray session for each command: a private local Ray by default, somebody's cluster only when asked.

Local Ray is private on purpose: ``address="local"`` never joins a cluster that happens to run on the machine,
every socket is on loopback, no dashboard, token authentication on, no usage reports. What a killed driver's Ray left
running is ended when the next one starts.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from omni_ray import interrupts
from omni_ray.errors import FALLS_SHORT, WRONG_INPUT, OmniError
from omni_ray.later import uncollected
from omni_ray.machine import usable_cpus
from omni_ray.pipeline import lean, metrics
from omni_ray.pipeline.own_processes import DRIVER, core, end_orphans, end_own
from omni_ray.pipeline.private_folder import private_folder
from omni_ray.pipeline.processes import identity
from omni_ray.pipeline.reach import require_reachable
from omni_ray.pipeline.room import require_room
from omni_ray.pipeline.watch import bounded, watched
from omni_ray.verbosity import is_verbose
from omni_ray.visible import visible

_OBJECT_STORE_BYTES = 512 << 20
"""Units travel as blocks of at most 256 MB, and fused stages never store them: half a GiB is ample."""
RETRIES = 5
"""How often a task whose worker or node died is started again. On its own, Ray would go on for ever with a unit that
kills its worker each time."""
_PRELOADED = "omni_ray.pipeline.preloaded"
"""What a local Ray's workers import when they start, while sources are indexed."""
_LIMITS_SECONDS = 0.05
_ADDRESS_S, _START_S, _END_S = 10.0, 60.0, 15.0
"""How long an address may take to answer, a Ray to come up, and a local one to end. A local one is up within three seconds, and
within twenty where the machine has much else to do."""


def _local_environment() -> None:
    """Set what Ray reads when it is first imported. A user's own setting always wins."""
    if "ray" in sys.modules:
        return  # a program that imported Ray before us has read its own settings; half of ours would not fit them
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # binds every socket to 127.0.0.1
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    os.environ.setdefault("RAY_preload_python_modules", _PRELOADED)
    os.environ.setdefault("RAY_enable_worker_prestart", "1")  # with the raylet, not once a driver has connected to it,
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")  # which would wait for them
    # The raylet's thread for objects may not listen yet when the raylet connects to it, two starts of five: it would look
    # again after a second.
    os.environ.setdefault("RAY_raylet_client_connect_timeout_milliseconds", "10")
    os.environ.setdefault("RAY_raylet_client_num_connect_attempts", "1000")
    # Nobody asks a local Ray for its list of tasks, and its end would wait up to a quarter of a second until that is sent.
    os.environ.setdefault("RAY_task_events_report_interval_ms", "0")
    if os.environ["RAY_AUTH_MODE"] == "token" and not _token_is_set():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _logging() -> dict[str, Any]:
    """What Ray itself says on our streams: nothing but errors, unless more was asked for."""
    return {"log_to_driver": is_verbose(), "logging_level": logging.INFO if is_verbose() else logging.ERROR}


def _quiet_environment() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "INFO" if is_verbose() else "ERROR")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")


def _token_is_set() -> bool:
    return any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))


def is_remote(address: str | None) -> bool:
    """Whether a command with this ``address`` runs on somebody's cluster, not on a Ray of its own."""
    return (address or os.environ.get("RAY_ADDRESS") or "local") != "local"


class Connection:
    """A connection to Ray that comes up in a thread of its own.

    The thread stays for as long as the connection: what it starts ends with it, as the kernel has it (PR_SET_PDEATHSIG).

    Args:
        address: a cluster's address, or None for ``RAY_ADDRESS`` if that is set, else a private local Ray.
        num_cpus: CPUs of the local Ray; default all of the machine. Ignored on a cluster.
        num_gpus: GPUs of the local Ray; default none. Ignored on a cluster.
    """

    def __init__(self, address: str | None, num_cpus: int | None, num_gpus: int | None) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        _quiet_environment()
        if self.address == "local":
            _local_environment()
        with interrupts.held_back(), uncollected():
            import ray  # here, so that no two threads import it  # noqa: F401

        self._size = num_cpus, num_gpus
        self.core: Callable[[], Mapping[int, str]] = dict
        """Finds the processes that it cannot work without, and their names; none for a cluster."""
        self._is_up, self._is_over = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        if self.address == "local":
            end_orphans()  # here: beside imports, each look into /proc would wait for Python's lock
        self._thread = threading.Thread(target=self._hold, name="ray", daemon=True)
        self._thread.start()

    def _hold(self) -> None:
        with ExitStack() as stack:
            try:
                if self.address == "local":
                    require_room(self._size[0] or usable_cpus())
                    folder = stack.enter_context(private_folder(identity(os.getpid())))
                    with bounded(_START_S, _not_started(_no_answer(_START_S)), end_own, FALLS_SHORT):
                        self.core = _start_local(*self._size, folder)
                else:
                    import ray

                    with self._answering(_ADDRESS_S):
                        require_reachable(self.address)
                    with self._answering(_START_S):
                        ray.init(address=self.address, **_logging())
            except BaseException as error:
                self._error = error
            self._is_up.set()
            self._is_over.wait()

    def _answering(self, seconds: float) -> AbstractContextManager[None]:
        return bounded(seconds, _why_unreachable(self.address, _no_answer(seconds)), dict, WRONG_INPUT)

    def wait(self) -> None:
        """Until it is up.

        Raises:
            OmniError: the cluster cannot be reached, or refused the token; or the local Ray did not start.
        """
        self._is_up.wait()
        if self._error is None:
            return
        if isinstance(self._error, OmniError):
            raise self._error
        # Ray has no base class for what can go wrong here, and raises bare Exceptions too.
        if self.address == "local":
            raise OmniError(_not_started(_first_line(self._error)), exit_code=FALLS_SHORT) from self._error
        raise OmniError(_why_unreachable(self.address, _first_line(self._error))) from self._error

    def close(self) -> None:
        """End it, and what it started."""
        import ray

        self._is_up.wait()
        is_local = self.address == "local"
        patience = threading.Timer(_END_S, end_own)  # of one that hangs; what is left of Ray's end is quick then
        if is_local:
            patience.start()
        ray.shutdown()
        patience.cancel()
        if is_local:
            end_own()  # a worker in the middle of something takes its time
        self._is_over.set()
        self._thread.join()


@contextmanager
def ray_session(
    address: str | None = None,
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    begun: Connection | None = None,
) -> Iterator[None]:
    """Connect to Ray for the length of the block; a session that is already there is used and left alone.

    Args:
        address, num_cpus, num_gpus: as for :class:`Connection`.
        begun: a connection that is coming up already; it is closed at the end.

    Raises:
        OmniError: the cluster cannot be reached, or refused the token.
    """
    if _lasting is not None:
        _lasting.provide(address, num_cpus, num_gpus, begun)
        yield
    elif begun is None and is_connected():
        yield
    else:
        with _session(address, num_cpus, num_gpus, begun):
            yield


class _Lasting:
    """The Ray of one command that stays for the next ones."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._wanted: tuple[str | None, int | None, int] | None = None

    def provide(
        self, address: str | None, num_cpus: int | None, num_gpus: int | None, begun: Connection | None
    ) -> None:
        """Make sure that there is a session of the wanted kind; one of another kind ends first. Somebody else's will do."""
        wanted = address, num_cpus, num_gpus or 0
        if begun is None and is_connected() and self._wanted in (None, wanted):
            return
        self.close()
        self._stack.enter_context(_session(address, num_cpus, num_gpus, begun))
        self._wanted = wanted

    def close(self) -> None:
        self._stack.close()
        self._wanted = None


_lasting: _Lasting | None = None


@contextmanager
def lasting() -> Iterator[None]:
    """For the block, in which several commands run: the Ray that one of them starts serves those after it, too."""
    global _lasting
    _lasting = _Lasting()
    try:
        yield
    finally:
        _lasting.close()
        _lasting = None


@contextmanager
def _session(
    address: str | None, num_cpus: int | None, num_gpus: int | None, begun: Connection | None
) -> Iterator[None]:
    with terminate_as_interrupt():
        connection = begun or Connection(address, num_cpus, num_gpus)
        try:
            with interrupts.held_back(), uncollected():
                # While Ray starts. The others are what Ray Data imports when it is first used, and Ray when it ends.
                import ray.dag.compiled_dag_node
                import ray.data
                import ray.util.state  # noqa: F401

                lean.import_rest()
            with _unsaid():
                connection.wait()
                _take_sigterm_back()
                _silence_ray_data()
                with _on_cluster() if is_remote(connection.address) else _on_machine(connection):
                    yield
        finally:
            connection.close()


@contextmanager
def _on_cluster() -> Iterator[None]:
    with _hurried(), metrics.told():
        yield


@contextmanager
def _on_machine(connection: Connection) -> Iterator[None]:
    with lean.without_actors(), watched(connection.core, end_own):
        yield


@contextmanager
def as_sub_driver() -> Iterator[None]:
    """A task of this session is a driver too, for the block: what holds for the first one holds for it."""
    _silence_ray_data()
    with _hurried():
        yield


def is_connected() -> bool:
    """Whether this process has a connection to Ray."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def _start_local(num_cpus: int | None, num_gpus: int | None, folder: Path) -> Callable[[], Mapping[int, str]]:
    """Start it; returns what finds its :func:`core`, and none of an earlier one's."""
    import ray

    os.environ[DRIVER] = identity(os.getpid())

    def start() -> Callable[[], Mapping[int, str]]:
        earlier = core()

        def started() -> Mapping[int, str]:
            return {pid: name for pid, name in core().items() if pid not in earlier}

        with watched(started, end_own):
            ray.init(
                address="local",
                _temp_dir=str(folder),
                num_cpus=num_cpus or usable_cpus(),
                num_gpus=num_gpus or 0,
                include_dashboard=False,
                **_logging(),
                # Beside a GPU, blocks travel between stages: Ray's own share of the memory.
                object_store_memory=None if num_gpus else _OBJECT_STORE_BYTES,
            )
        return started

    try:
        try:
            with lean.without_helpers(is_verbose()):
                return start()
        except Exception:  # whatever went wrong, the plain way may work
            ray.shutdown()
            return start()
    finally:
        del os.environ[DRIVER]


def _not_started(why: str) -> str:
    return f"Ray did not start on this machine ({why}); run the same command again, or see `omni-ray doctor`"


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:.0f} seconds"


def _why_unreachable(address: str, why: str) -> str:
    """Ray says the same of a wrong address, a missing token and a wrong one."""
    hint = (
        "check the address, and that RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) is the token the cluster was started with"
    )
    if os.environ.get("RAY_AUTH_MODE") != "token":
        hint = "check the address; if the cluster asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
    return f"Ray at {address} cannot be reached ({why}); {hint}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _silence_ray_data() -> None:
    """Ray Data prints whole tracebacks for errors that we report in one line ourselves."""
    from ray.data import DataContext

    if not is_verbose():
        for name in [n for n in logging.root.manager.loggerDict if n.startswith("ray.data")]:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


@contextmanager
def _hurried() -> Iterator[None]:
    """A run learns which CPUs a cluster has by a look at its limits, and looks once a second: for its first second it would
    run one task at a time.
    """
    from ray.data._internal.execution.resource_manager import ResourceManager

    with patch.object(ResourceManager, "GLOBAL_LIMITS_UPDATE_INTERVAL_S", _LIMITS_SECONDS):
        yield


@contextmanager
def _unsaid() -> Iterator[None]:
    """Ray prints what workers print, and a paragraph for every one that dies, on standard output; that stream is ours
    (``--json``). With ``--verbose`` it goes to standard error.
    """
    import ray._private.worker as worker

    said = getattr(worker, "print_to_stdstream", None)
    if said is None:
        yield
        return

    def to_stderr(data: Any, *args: Any, **more: Any) -> None:
        if is_verbose():
            lines = [visible(line) for line in data.get("lines", ())]
            said({**data, "is_err": True, "lines": lines}, *args, **more)

    worker.print_to_stdstream = to_stderr
    try:
        yield
    finally:
        worker.print_to_stdstream = said


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, with Ray's processes stopped, unless somebody handles it already."""
    is_main = threading.current_thread() is threading.main_thread()  # which alone may set a handler
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _take_sigterm_back() -> None:
    """Ray, as it came up, put a handler before ours that writes on standard error where the signal came in."""
    handler = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is threading.main_thread() and callable(handler):
        signal.signal(signal.SIGTERM, handler)
