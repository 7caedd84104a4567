ALTER TABLE "attempt" ADD COLUMN "log_removed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "team" ADD COLUMN "log_keep_days" integer;--> statement-breakpoint
ALTER TABLE "team" ADD COLUMN "log_bytes_max" bigint;--> statement-breakpoint
CREATE INDEX "attempt_log_kept" ON "attempt" USING btree ("closed_at") WHERE "attempt"."closed_at" is not null and "attempt"."log_removed_at" is null and "attempt"."log_bytes" > 0;