CREATE TABLE "control_plane" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"epoch" bigint NOT NULL,
	"host" text NOT NULL,
	"pid" integer NOT NULL,
	"url" text NOT NULL,
	"home" text NOT NULL,
	"since" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "target_heartbeat" DROP COLUMN "replica";
--> statement-breakpoint
-- Who writes for a control plane names its epoch in nexus.epoch; once another became active, nothing of an older epoch is
-- committed. The lock is shared by all writers and taken alone by whoever begins an epoch, so that none of them is between
-- the check and its commit at that moment. A session without an epoch is a person's or a command's, and passes.
CREATE FUNCTION nexus_fence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	given text := current_setting('nexus.epoch', true);
BEGIN
	IF given IS NULL OR given = '' THEN
		RETURN NULL;
	END IF;
	PERFORM pg_advisory_xact_lock_shared(1314408018);
	IF NOT EXISTS (SELECT 1 FROM control_plane WHERE epoch = given::bigint) THEN
		RAISE EXCEPTION 'another control plane became active: epoch % is over', given USING ERRCODE = 'NX001';
	END IF;
	RETURN NULL;
END $$;

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "job" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "attempt" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "gpu_lease" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "job_event" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "queue" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "target" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "node_key" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "target_heartbeat" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "gpu" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "gpu_sample" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "enroll_token" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();

--> statement-breakpoint
-- Whatever wrote a lease, and however many sessions did at once: a GPU has one lease of the whole device, or leases of
-- memory whose sum fits. A function of a trigger sees what others committed while it waited for the rows; a statement does not.
CREATE FUNCTION nexus_lease_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	full_gpu bigint;
BEGIN
	PERFORM 1 FROM gpu WHERE id IN (SELECT gpu_id FROM fresh) ORDER BY id FOR NO KEY UPDATE;
	SELECT l.gpu_id INTO full_gpu
	FROM gpu_lease l JOIN gpu g ON g.id = l.gpu_id
	WHERE l.gpu_id IN (SELECT gpu_id FROM fresh)
	GROUP BY l.gpu_id, g.facts
	HAVING (bool_or(l.memory_mib IS NULL) AND count(*) > 1)
		OR sum(l.memory_mib) > (g.facts ->> 'memoryTotalMib')::bigint
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'GPU % has no room for these leases', full_gpu USING ERRCODE = 'exclusion_violation';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER nexus_lease_fits AFTER INSERT ON "gpu_lease" REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION nexus_lease_fits();
