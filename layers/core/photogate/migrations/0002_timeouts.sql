-- On the role rather than the connection: RDS Proxy refuses startup options, and SET
-- pins its connections. Below the client's socket timeout, so that the server gives up first.
-- Beside another program the role may be that program's too: then each connection sets them.
DO $$
BEGIN
    IF obj_description('media'::regclass) LIKE '%adopted by Photogate%' THEN
        RETURN;
    END IF;
    EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = ''8s''',
                   current_database());
    EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET lock_timeout = ''5s''',
                   current_database());
    EXECUTE format(
        'ALTER ROLE CURRENT_USER IN DATABASE %I SET idle_in_transaction_session_timeout = ''30s''',
        current_database());
END $$;
