BEGIN TRANSACTION;
CREATE TABLE privacy_alarms (
	kind VARCHAR(16) NOT NULL, 
	subject VARCHAR(160) NOT NULL, 
	percent INTEGER NOT NULL, 
	raised_at DATETIME NOT NULL, 
	PRIMARY KEY (kind, subject, percent)
);
CREATE TABLE privacy_approvals (
	id INTEGER NOT NULL, 
	batch_id VARCHAR(36) NOT NULL, 
	plan_hash VARCHAR(64) NOT NULL, 
	regulation VARCHAR(32) NOT NULL, 
	products VARCHAR(512) NOT NULL, 
	approved BOOLEAN NOT NULL, 
	jobs INTEGER NOT NULL, 
	on_hold INTEGER NOT NULL, 
	decided_by VARCHAR(512) NOT NULL, 
	decided_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE privacy_batches (
	id VARCHAR(36) NOT NULL, 
	regulation VARCHAR(32) NOT NULL, 
	products VARCHAR(512) NOT NULL, 
	inbox_date DATE NOT NULL, 
	run_id VARCHAR(512) NOT NULL, 
	created_at DATETIME NOT NULL, needs_approval BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "privacy_batches" VALUES('913fb635-9329-4303-b5f9-9f2f56ad1c83','gdpr','analytics','2026-11-20','privacy_requests/scheduled__2026-11-20','2026-11-26 14:45:50.106366',0);
INSERT INTO "privacy_batches" VALUES('aeac823c-45b3-45df-8d13-ce524c5ccdd7','gdpr','analytics','2026-11-21','privacy_requests/scheduled__2026-11-21','2026-11-26 14:45:51.725658',0);
INSERT INTO "privacy_batches" VALUES('1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6','gdpr','analytics','2026-11-22','privacy_requests/scheduled__2026-11-22','2026-11-26 14:45:52.660863',0);
CREATE TABLE privacy_daily_figures (
	day DATE NOT NULL, 
	arrived INTEGER NOT NULL, 
	archived INTEGER NOT NULL, 
	seconds BIGINT NOT NULL, 
	longest BIGINT NOT NULL, 
	PRIMARY KEY (day)
);
INSERT INTO "privacy_daily_figures" VALUES('2026-11-26',4,1,571551,571551);
CREATE TABLE privacy_jobs (
	id INTEGER NOT NULL, 
	request_id VARCHAR(128) NOT NULL, 
	regulation VARCHAR(32) NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	part INTEGER NOT NULL, 
	"key" VARCHAR(140) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	source VARCHAR(1024) NOT NULL, 
	inbox_date DATE NOT NULL, 
	products VARCHAR(512) NOT NULL, 
	received_at DATETIME NOT NULL, 
	due_on DATE NOT NULL, 
	origin VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	on_hold BOOLEAN NOT NULL, 
	attempt INTEGER NOT NULL, 
	batch_id VARCHAR(36), 
	intent_at DATETIME, 
	submitted_at DATETIME, 
	adobe_request_id VARCHAR(255), 
	adobe_job_id VARCHAR(255), 
	completed_at DATETIME, 
	outcome VARCHAR(32), 
	outcome_code VARCHAR(32), 
	archived_at DATETIME, 
	manifest VARCHAR(512), submit_by DATE, alarm_at DATETIME, approval_id INTEGER, taken_in_at DATETIME DEFAULT '1970-01-01 00:00:00' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_privacy_jobs_request UNIQUE (request_id, regulation, action, part)
);
INSERT INTO "privacy_jobs" VALUES(1,'DSR-1','gdpr','delete',1,'DSR-1','360a758ea9bb6d3715284f73ef6472fec72791661b3523e50ef59fc83e0d1c19','2026-11-20/requests.jsonl','2026-11-20','analytics','2026-11-20 00:00:00.000000','2026-12-21','inbox','archived',0,1,'913fb635-9329-4303-b5f9-9f2f56ad1c83','2026-11-26 14:45:50.483220','2026-11-26 14:45:50.545976','17957043505422201RX-582','12dcb3c1-e9a8-11f1-8001-cd61d8f16adf','2026-11-26 14:45:00.000000','full','6000-200','2026-11-26 14:45:51.406669','jobs/gdpr/2026/11/26/12dcb3c1-e9a8-11f1-8001-cd61d8f16adf/manifest.json','2026-11-21','2026-12-05 12:00:00.000000',NULL,'2026-11-26 14:45:49.972870');
INSERT INTO "privacy_jobs" VALUES(2,'DSR-2','gdpr','access',1,'DSR-2','c8a9d561f31c4099d091aa264d219ac6fdaf91c3402fa8f0001e2f65eb191236','2026-11-21/requests.jsonl','2026-11-21','analytics','2026-11-21 00:00:00.000000','2026-12-21','inbox','submitted',0,1,'aeac823c-45b3-45df-8d13-ce524c5ccdd7','2026-11-26 14:45:52.215498','2026-11-26 14:45:52.300215','17957044722944179RX-120','5b6e8a02-e9a8-11f1-8001-c2ce7ed4d57b',NULL,NULL,NULL,NULL,NULL,'2026-11-21','2026-12-06 00:00:00.000000',NULL,'2026-11-26 14:45:51.574995');
INSERT INTO "privacy_jobs" VALUES(3,'DSR-3','gdpr','access',1,'DSR-3','617646f4f3fd9e67bb69b6c1803a943ddad91f774e30684398af30a6eb6d8d54','2026-11-22/requests.jsonl','2026-11-22','analytics','2026-11-22 00:00:00.000000','2026-12-22','inbox','planned',0,1,'1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-22','2026-12-07 00:00:00.000000',NULL,'2026-11-26 14:45:52.576892');
INSERT INTO "privacy_jobs" VALUES(4,'DSR-3','gdpr','delete',1,'DSR-3','617646f4f3fd9e67bb69b6c1803a943ddad91f774e30684398af30a6eb6d8d54','2026-11-22/requests.jsonl','2026-11-22','analytics','2026-11-22 00:00:00.000000','2026-12-22','inbox','planned',0,1,'1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-22','2026-12-07 00:00:00.000000',NULL,'2026-11-26 14:45:52.576892');
CREATE TABLE privacy_ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT privacy_ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "privacy_ledger_version" VALUES('0006');
CREATE TABLE privacy_settings (
	name VARCHAR(64) NOT NULL, 
	value VARCHAR(512) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "privacy_settings" VALUES('fingerprint_key','d151f7868f55bea9548bead8652e2ba8930ac7a4cd6ff03c879fb2adc885735e');
INSERT INTO "privacy_settings" VALUES('fingerprint_check','04aa3300b3185f46c7bc9ad4dc2fe31ce2e313f3924f6919203b94395f7f01bc');
CREATE TABLE privacy_transitions (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(512) NOT NULL, 
	from_state VARCHAR(16), 
	to_state VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL, 
	batch_id VARCHAR(36), 
	adobe_job_id VARCHAR(255), 
	reason VARCHAR(512) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(job_id) REFERENCES privacy_jobs (id)
);
INSERT INTO "privacy_transitions" VALUES(1,1,'2026-11-26 14:45:49.995242','privacy_requests/scheduled__2026-11-20/task',NULL,'received',1,NULL,NULL,'arrived in the inbox');
INSERT INTO "privacy_transitions" VALUES(2,1,'2026-11-26 14:45:50.132132','privacy_requests/scheduled__2026-11-20/task','received','planned',1,'913fb635-9329-4303-b5f9-9f2f56ad1c83',NULL,'claimed');
INSERT INTO "privacy_transitions" VALUES(3,1,'2026-11-26 14:45:50.503086','privacy_requests/scheduled__2026-11-20/task','planned','submitting',1,'913fb635-9329-4303-b5f9-9f2f56ad1c83',NULL,'intent committed');
INSERT INTO "privacy_transitions" VALUES(4,1,'2026-11-26 14:45:50.548513','privacy_requests/scheduled__2026-11-20/task','submitting','submitted',1,'913fb635-9329-4303-b5f9-9f2f56ad1c83','12dcb3c1-e9a8-11f1-8001-cd61d8f16adf','Adobe''s answer');
INSERT INTO "privacy_transitions" VALUES(5,1,'2026-11-26 14:45:51.343866','privacy_requests/scheduled__2026-11-20/task','submitted','complete',1,'913fb635-9329-4303-b5f9-9f2f56ad1c83','12dcb3c1-e9a8-11f1-8001-cd61d8f16adf','Adobe: complete, full');
INSERT INTO "privacy_transitions" VALUES(6,1,'2026-11-26 14:45:51.413256','privacy_requests/scheduled__2026-11-20/task','complete','archived',1,'913fb635-9329-4303-b5f9-9f2f56ad1c83','12dcb3c1-e9a8-11f1-8001-cd61d8f16adf','manifest written');
INSERT INTO "privacy_transitions" VALUES(7,2,'2026-11-26 14:45:51.591367','privacy_requests/scheduled__2026-11-21/task',NULL,'received',1,NULL,NULL,'arrived in the inbox');
INSERT INTO "privacy_transitions" VALUES(8,2,'2026-11-26 14:45:51.766135','privacy_requests/scheduled__2026-11-21/task','received','planned',1,'aeac823c-45b3-45df-8d13-ce524c5ccdd7',NULL,'claimed');
INSERT INTO "privacy_transitions" VALUES(9,2,'2026-11-26 14:45:52.242113','privacy_requests/scheduled__2026-11-21/task','planned','submitting',1,'aeac823c-45b3-45df-8d13-ce524c5ccdd7',NULL,'intent committed');
INSERT INTO "privacy_transitions" VALUES(10,2,'2026-11-26 14:45:52.308122','privacy_requests/scheduled__2026-11-21/task','submitting','submitted',1,'aeac823c-45b3-45df-8d13-ce524c5ccdd7','5b6e8a02-e9a8-11f1-8001-c2ce7ed4d57b','Adobe''s answer');
INSERT INTO "privacy_transitions" VALUES(11,3,'2026-11-26 14:45:52.581761','privacy_requests/scheduled__2026-11-22/task',NULL,'received',1,NULL,NULL,'arrived in the inbox');
INSERT INTO "privacy_transitions" VALUES(12,4,'2026-11-26 14:45:52.581761','privacy_requests/scheduled__2026-11-22/task',NULL,'received',1,NULL,NULL,'arrived in the inbox');
INSERT INTO "privacy_transitions" VALUES(13,3,'2026-11-26 14:45:52.694702','privacy_requests/scheduled__2026-11-22/task','received','planned',1,'1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6',NULL,'claimed');
INSERT INTO "privacy_transitions" VALUES(14,4,'2026-11-26 14:45:52.694702','privacy_requests/scheduled__2026-11-22/task','received','planned',1,'1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6',NULL,'claimed');
CREATE TABLE privacy_usage (
	day DATE NOT NULL, 
	jobs INTEGER NOT NULL, 
	refused_at DATETIME, refused_jobs INTEGER DEFAULT '0' NOT NULL, batch_limit INTEGER, 
	PRIMARY KEY (day)
);
INSERT INTO "privacy_usage" VALUES('2026-11-26',2,NULL,0,NULL);
CREATE INDEX ix_privacy_batches_run ON privacy_batches (run_id);
CREATE UNIQUE INDEX ix_privacy_jobs_adobe ON privacy_jobs (adobe_job_id);
CREATE INDEX ix_privacy_jobs_batch ON privacy_jobs (batch_id, state);
CREATE INDEX ix_privacy_jobs_inbox ON privacy_jobs (inbox_date, state, batch_id);
CREATE INDEX ix_privacy_jobs_waiting ON privacy_jobs (state, due_on, id, inbox_date) WHERE state = 'received' AND NOT on_hold AND action <> 'opt_out_of_sale';
CREATE INDEX ix_privacy_jobs_group ON privacy_jobs (state, regulation, products, due_on, id) WHERE state = 'received' AND NOT on_hold AND action <> 'opt_out_of_sale';
CREATE INDEX ix_privacy_jobs_due ON privacy_jobs (due_on, id) WHERE state <> 'archived';
CREATE INDEX ix_privacy_jobs_opt_outs ON privacy_jobs (due_on, id, inbox_date) WHERE action = 'opt_out_of_sale' AND state <> 'archived';
CREATE INDEX ix_privacy_jobs_held ON privacy_jobs (request_id) WHERE on_hold;
CREATE INDEX ix_privacy_transitions_adobe ON privacy_transitions (adobe_job_id);
CREATE INDEX ix_privacy_transitions_job ON privacy_transitions (job_id, id);
CREATE INDEX ix_privacy_jobs_alarm ON privacy_jobs (alarm_at, id) WHERE state <> 'archived';
CREATE INDEX ix_privacy_jobs_finished ON privacy_jobs (action, completed_at, submitted_at, batch_id) WHERE state = 'archived';
CREATE INDEX ix_privacy_jobs_state ON privacy_jobs (state, due_on, id, inbox_date, regulation, action, products);
CREATE INDEX ix_privacy_jobs_at_adobe ON privacy_jobs (state, submitted_at, completed_at) WHERE state IN ('submitted', 'complete');
CREATE INDEX ix_privacy_approvals_batch ON privacy_approvals (batch_id);
CREATE INDEX ix_privacy_jobs_planned ON privacy_jobs (state, batch_id, approval_id) WHERE state = 'planned';
CREATE INDEX ix_privacy_jobs_received ON privacy_jobs (received_at);
COMMIT;
