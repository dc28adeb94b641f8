from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webapp", "0007_deleted_jobs"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="earlier_seconds",
            field=models.FloatField(default=0.0),
        ),
    ]
