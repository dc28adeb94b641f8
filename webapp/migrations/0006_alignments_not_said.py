from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Jobs were stored with an empty alignment where nothing was said about one. Now that is a wish of
# its own, to fold without, which no stored job has made.


def say_nothing(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for job in apps.get_model("webapp", "Job").objects.only("fold_input").iterator(chunk_size=100):
        before = job.fold_input.get("sequences", [])
        after = [_without_empty(entity) for entity in before]
        if after != before:
            job.fold_input["sequences"] = after
            job.save(update_fields=["fold_input"])


def _without_empty(entity: dict[str, Any]) -> dict[str, Any]:
    ((kind, chain),) = entity.items()
    if chain.get("unpairedMsa") != "":
        return entity
    said: dict[str, None] = {"unpairedMsa": None}
    if chain.get("pairedMsa") == "":
        said["pairedMsa"] = None
    return {kind: {**chain, **said}}


class Migration(migrations.Migration):
    dependencies = [
        ("webapp", "0005_lab"),
    ]

    operations = [migrations.RunPython(say_nothing, migrations.RunPython.noop)]
