from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webapp", "0002_models_to_choose")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="search",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
