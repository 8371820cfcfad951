"""Every event waits for its seal from the moment it is written, whatever writes it; seals are only ever added."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION accounts_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.accounts_auditwaiting (event_id) VALUES ($1)', TG_TABLE_SCHEMA) USING NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_awaits_seal AFTER INSERT ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION accounts_await_seal();
CREATE TRIGGER seals_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
INSERT INTO accounts_auditwaiting (event_id) SELECT id FROM accounts_auditevent;
"""
BACKWARD = """
DROP TRIGGER seals_are_append_only ON accounts_auditseal;
DROP TRIGGER audit_awaits_seal ON accounts_auditevent;
DROP FUNCTION accounts_await_seal();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_audit_chain")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
