"""The audit: replay a task from the chain and the store alone, and compare every byte.

Nothing here trusts a summary, a validator or the writer of the run: the chain's journal is executed
again, every settled round is recomputed from the updates and score vectors that its record names,
and the first difference is named.
"""

from ostrom.audit.replay import audit_task
from ostrom.audit.report import AuditLine, AuditReport
from ostrom.audit.run import audit_run, write_manifest

__all__ = ["AuditLine", "AuditReport", "audit_run", "audit_task", "write_manifest"]
