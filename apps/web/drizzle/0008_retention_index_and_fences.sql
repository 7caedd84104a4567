CREATE INDEX "job_ended" ON "job" USING btree ("ended_at","id") WHERE "job"."ended_at" is not null;
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "ssh_host_key" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "target_ssh" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "account" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "apikey" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "member" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "session" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "team" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "user" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "verification" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "audit_event" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
--> statement-breakpoint
CREATE TRIGGER nexus_fence BEFORE INSERT OR UPDATE OR DELETE ON "server_identity" FOR EACH STATEMENT EXECUTE FUNCTION nexus_fence();
