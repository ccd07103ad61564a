"""The flows that are to be jobs at boot: whether they can be read, and are right."""

from server.config import Config
from server.doctor.finding import Finding, ok, problem
from server.flow.examine.confined import Examiner
from server.flow.examine.task import Task
from server.flow.secrets import AllowedSecrets
from server.runner.boot_files import BootFile, read_boot_files


async def examine(config: Config) -> list[Finding]:
    path = config.server.flow_path
    if not path:
        return []
    files = read_boot_files(path)
    if files is None:
        return [
            problem("boot folder", f"{path} cannot be read", "make it readable, or name another: server.flow_path")
        ]
    examiner = Examiner(config.state_dir, config.jobs.examine_wait)
    try:
        wrong = [
            finding
            for file in files
            if (finding := await _flow(examiner, file, config.secrets.allowed)) is not None
        ]
    finally:
        await examiner.close()
    return wrong or [ok("boot folder", f"{len(files)} flows in {path}, all valid")]


async def _flow(examiner: Examiner, file: BootFile, secrets: AllowedSecrets) -> Finding | None:
    outcome = await examiner.examine(Task(source=file.graph.source, format=file.graph.format, secrets=secrets))
    found = outcome.verdict.findings
    if not found:
        return None
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    name = file.job_id
    return problem(
        "boot folder", f"{name}: {found[0].message}{more}", "mend the file, or put DISABLED_ before its name"
    )
