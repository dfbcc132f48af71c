"""Log lines of web and worker: one event a line, facts as fields; readable on a terminal, JSON elsewhere."""

import logging
import sys

import structlog


def configure_logging(level: str) -> None:
    """Send our events, and warnings of the libraries, to stderr. `level`: debug, info, warning or error."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if is_terminal else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=max(threshold, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
