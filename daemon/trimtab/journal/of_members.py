"""What concerns all engines of one fleet, as a document of the journal and back.

What is remembered of deployments is by position, as in every row that holds it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from trimtab.core.memory import DeploymentMemory
from trimtab.core.succession import BucketTaken, MembersNews
from trimtab.journal.codec import decode, encode
from trimtab.journal.rows import as_row, read_row


def news_as_document(news: MembersNews) -> dict[str, Any]:
    """Return JSON values from which ``read_news`` restores ``news``."""
    if not isinstance(news, BucketTaken):
        return {"news": encode(MembersNews, news)}
    memory = {name: json.loads(as_row(one)) for name, one in news.memory.items()}
    return {"news": encode(MembersNews, replace(news, memory={})), "memory": memory}


def read_news(document: Any) -> MembersNews:
    """Restore what ``news_as_document`` gave. Raises ``ValueError`` when it cannot be one."""
    news: MembersNews = decode(MembersNews, document["news"])
    if not isinstance(news, BucketTaken):
        return news
    remembered = document["memory"].items()
    return replace(news, memory={name: read_row(DeploymentMemory, one) for name, one in remembered})
