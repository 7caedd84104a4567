CREATE TABLE "ssh_host_key" (
	"team_id" text NOT NULL,
	"name" text NOT NULL,
	"pinned" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"revoked" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"refused" jsonb,
	"refused_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ssh_host_key_team_id_name_pk" PRIMARY KEY("team_id","name")
);
--> statement-breakpoint
CREATE TABLE "target_ssh" (
	"target_id" bigint PRIMARY KEY NOT NULL,
	"host" text NOT NULL,
	"port" bigint NOT NULL,
	"user_name" text NOT NULL,
	"jumps" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"transports" jsonb NOT NULL,
	"host_key_name" text NOT NULL,
	"public_key" jsonb,
	"sealed_private_key" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "ssh_host_key" ADD CONSTRAINT "ssh_host_key_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."team"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target_ssh" ADD CONSTRAINT "target_ssh_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;