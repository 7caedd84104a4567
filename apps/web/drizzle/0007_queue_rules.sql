DROP INDEX "queue_team_name";--> statement-breakpoint
ALTER TABLE "queue" ADD COLUMN "gpus_max" integer;--> statement-breakpoint
ALTER TABLE "queue" ADD COLUMN "user_running_max" integer;--> statement-breakpoint
ALTER TABLE "queue" ADD COLUMN "user_gpus_max" integer;--> statement-breakpoint
ALTER TABLE "queue" ADD COLUMN "selector" jsonb DEFAULT '{"labels":{},"targetIds":[]}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "queue" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "queue_team_name" ON "queue" USING btree ("team_id","name") WHERE "queue"."removed_at" is null;