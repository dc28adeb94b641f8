from django.db import migrations

# Jobs were stored with an empty alignment where nothing was said about one. Now that is a wish of
# its own, to fold without, which no stored job has made.


def say_nothing(apps, schema_editor):
    for job in apps.get_model("webapp", "Job").objects.only("fold_input").iterator(chunk_size=100):
        before = job.fold_input.get("sequences", [])
        after = [_without_empty(entity) for entity in before]
        if after != before:
            job.fold_input["sequences"] = after
            job.save(update_fields=["fold_input"])


def _without_empty(entity):
    ((kind, chain),) = entity.items()
    if chain.get("unpairedMsa") != "":
        return entity
    said = {"unpairedMsa": None}
    if chain.get("pairedMsa") == "":
        said["pairedMsa"] = None
    return {kind: {**chain, **said}}


class Migration(migrations.Migration):
    dependencies = [
        ("webapp", "0005_lab"),
    ]

    operations = [migrations.RunPython(say_nothing, migrations.RunPython.noop)]
