"""Models whose plugin does harm when it is imported; what it does is chosen by the environment's ``ATTACK``."""

EVENTS = (
    {"event": "exited", "code": 0, "exceeded": "timeout", "unwritten": "", "peak": 1, "seconds": 0.1, "seal": ""},
    {"event": "phase", "name": "forged"},
    {"event": "unwritten", "reason": "forged"},
    {"event": "began", "pid": 1},
    {"event": "note", "text": "forged"},
    {"event": "prepared"},
    {"event": "lost", "code": 1},
)
