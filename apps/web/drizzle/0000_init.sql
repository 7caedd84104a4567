CREATE TABLE "apikey" (
	"id" text PRIMARY KEY NOT NULL,
	"member_id" text NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	CONSTRAINT "apikey_secret_hash_unique" UNIQUE("secret_hash")
);
--> statement-breakpoint
CREATE TABLE "audit_event" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_event_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"team_id" text,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"detail" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempt" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "attempt_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"public_id" text NOT NULL,
	"job_id" bigint NOT NULL,
	"fence" integer NOT NULL,
	"target_id" bigint NOT NULL,
	"pid" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"end_reason" text,
	"exit_code" integer,
	"signal" text,
	"message" text,
	"log_bytes" bigint,
	"closed_at" timestamp with time zone,
	CONSTRAINT "attempt_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "gpu_lease" (
	"gpu_id" bigint NOT NULL,
	"attempt_id" bigint NOT NULL,
	"memory_mib" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "gpu_lease_attempt_id_gpu_id_pk" PRIMARY KEY("attempt_id","gpu_id")
);
--> statement-breakpoint
CREATE TABLE "job" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "job_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"public_id" text NOT NULL,
	"team_id" text NOT NULL,
	"queue_id" bigint NOT NULL,
	"user_id" text NOT NULL,
	"submit_key" text,
	"name" text,
	"command" jsonb NOT NULL,
	"env" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"cwd" text,
	"gpus" integer NOT NULL,
	"gpu_memory_mib" integer,
	"gpu_model" text,
	"timeout_ms" bigint,
	"grace_ms" integer NOT NULL,
	"wanted_target_id" bigint,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"priority" integer DEFAULT 0 NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"reason" jsonb,
	"cancel_requested_at" timestamp with time zone,
	"cancel_grace_ms" integer,
	"attempt_id" bigint,
	"attempt_number" integer DEFAULT 0 NOT NULL,
	"target_id" bigint,
	"gpu_uuids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"exit_code" integer,
	"signal" text,
	"message" text,
	"log_bytes" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"assigned_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"unreachable_since" timestamp with time zone,
	CONSTRAINT "job_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "job_event" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "job_event_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"job_id" bigint NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"type" text NOT NULL,
	"state" text NOT NULL,
	"attempt_id" bigint,
	"actor" text NOT NULL,
	"message" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queue" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "queue_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"team_id" text NOT NULL,
	"name" text NOT NULL,
	"priority" integer DEFAULT 0 NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"running_max" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "enroll_token" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "enroll_token_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"public_id" text NOT NULL,
	"team_id" text NOT NULL,
	"public_key" text NOT NULL,
	"name" text,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"uses" integer DEFAULT 0 NOT NULL,
	"uses_max" integer NOT NULL,
	"target_id" bigint,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "enroll_token_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "gpu" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "gpu_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"target_id" bigint NOT NULL,
	"uuid" text NOT NULL,
	"facts" jsonb NOT NULL,
	"blocked" boolean DEFAULT false NOT NULL,
	"missing_since" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "gpu_sample" (
	"gpu_id" bigint NOT NULL,
	"sampled_at" timestamp with time zone NOT NULL,
	"memory_used_mib" integer,
	"utilization_pct" integer,
	"power_w" integer,
	"temperature_c" integer
);
--> statement-breakpoint
CREATE TABLE "node_key" (
	"target_id" bigint PRIMARY KEY NOT NULL,
	"public_key" text NOT NULL,
	"generation" integer DEFAULT 0 NOT NULL,
	"generation_offered" integer DEFAULT 0 NOT NULL,
	"boot_id" text,
	"enroll_token_id" bigint,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "server_identity" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"public_key" text NOT NULL,
	"sealed_private_key" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "target" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "target_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"public_id" text NOT NULL,
	"team_id" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"state_since" timestamp with time zone DEFAULT now() NOT NULL,
	"cordoned" boolean DEFAULT false NOT NULL,
	"draining" boolean DEFAULT false NOT NULL,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"facts" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "target_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "target_heartbeat" (
	"target_id" bigint PRIMARY KEY NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"replica" text
);
--> statement-breakpoint
CREATE TABLE "member" (
	"id" text PRIMARY KEY NOT NULL,
	"team_id" text NOT NULL,
	"user_id" text NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "team" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "account" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"user_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp with time zone,
	"refresh_token_expires_at" timestamp with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "session" (
	"id" text PRIMARY KEY NOT NULL,
	"token" text NOT NULL,
	"user_id" text NOT NULL,
	"opened_by" text DEFAULT 'password' NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "session_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "user" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "user_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "verification" (
	"id" text PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "apikey" ADD CONSTRAINT "apikey_member_id_member_id_fk" FOREIGN KEY ("member_id") REFERENCES "public"."member"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "audit_event" ADD CONSTRAINT "audit_event_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempt" ADD CONSTRAINT "attempt_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempt" ADD CONSTRAINT "attempt_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gpu_lease" ADD CONSTRAINT "gpu_lease_gpu_id_gpu_id_fk" FOREIGN KEY ("gpu_id") REFERENCES "public"."gpu"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gpu_lease" ADD CONSTRAINT "gpu_lease_attempt_id_attempt_id_fk" FOREIGN KEY ("attempt_id") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job" ADD CONSTRAINT "job_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job" ADD CONSTRAINT "job_queue_id_queue_id_fk" FOREIGN KEY ("queue_id") REFERENCES "public"."queue"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job" ADD CONSTRAINT "job_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job" ADD CONSTRAINT "job_wanted_target_id_target_id_fk" FOREIGN KEY ("wanted_target_id") REFERENCES "public"."target"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job" ADD CONSTRAINT "job_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_event" ADD CONSTRAINT "job_event_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "queue" ADD CONSTRAINT "queue_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enroll_token" ADD CONSTRAINT "enroll_token_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enroll_token" ADD CONSTRAINT "enroll_token_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enroll_token" ADD CONSTRAINT "enroll_token_created_by_user_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."user"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gpu" ADD CONSTRAINT "gpu_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gpu_sample" ADD CONSTRAINT "gpu_sample_gpu_id_gpu_id_fk" FOREIGN KEY ("gpu_id") REFERENCES "public"."gpu"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "node_key" ADD CONSTRAINT "node_key_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target" ADD CONSTRAINT "target_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target_heartbeat" ADD CONSTRAINT "target_heartbeat_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "member" ADD CONSTRAINT "member_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "member" ADD CONSTRAINT "member_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account" ADD CONSTRAINT "account_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "session" ADD CONSTRAINT "session_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "apikey_member" ON "apikey" USING btree ("member_id");--> statement-breakpoint
CREATE INDEX "audit_event_team_time" ON "audit_event" USING btree ("team_id","at");--> statement-breakpoint
CREATE UNIQUE INDEX "attempt_job_fence" ON "attempt" USING btree ("job_id","fence");--> statement-breakpoint
CREATE INDEX "attempt_open" ON "attempt" USING btree ("target_id") WHERE "attempt"."closed_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "gpu_lease_whole" ON "gpu_lease" USING btree ("gpu_id") WHERE "gpu_lease"."memory_mib" is null;--> statement-breakpoint
CREATE INDEX "gpu_lease_gpu" ON "gpu_lease" USING btree ("gpu_id");--> statement-breakpoint
CREATE UNIQUE INDEX "job_submit_key" ON "job" USING btree ("team_id","submit_key") WHERE "job"."submit_key" is not null;--> statement-breakpoint
CREATE INDEX "job_queued" ON "job" USING btree ("team_id","priority" DESC NULLS LAST,"id") WHERE "job"."state" = 'queued';--> statement-breakpoint
CREATE INDEX "job_active" ON "job" USING btree ("target_id") WHERE "job"."state" in ('assigned','starting','running','unreachable');--> statement-breakpoint
CREATE INDEX "job_team_newest" ON "job" USING btree ("team_id","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "job_event_job" ON "job_event" USING btree ("job_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "queue_team_name" ON "queue" USING btree ("team_id","name");--> statement-breakpoint
CREATE INDEX "enroll_token_team" ON "enroll_token" USING btree ("team_id");--> statement-breakpoint
CREATE UNIQUE INDEX "gpu_target_uuid" ON "gpu" USING btree ("target_id","uuid");--> statement-breakpoint
CREATE INDEX "gpu_sample_gpu_time" ON "gpu_sample" USING btree ("gpu_id","sampled_at");--> statement-breakpoint
CREATE INDEX "gpu_sample_time" ON "gpu_sample" USING brin ("sampled_at");--> statement-breakpoint
CREATE UNIQUE INDEX "target_team_name" ON "target" USING btree ("team_id","name") WHERE "target"."revoked_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "member_team_user" ON "member" USING btree ("team_id","user_id");--> statement-breakpoint
CREATE INDEX "member_user" ON "member" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "account_user" ON "account" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "session_user" ON "session" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "verification_identifier" ON "verification" USING btree ("identifier");--> statement-breakpoint
CREATE INDEX "verification_value" ON "verification" USING btree ("value");