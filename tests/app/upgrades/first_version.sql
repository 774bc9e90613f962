-- What the first version wrote: a developer with two applications, one live account and a deleted one, two uploads.

INSERT INTO developers (id, name, created_at) VALUES (
  1, 'A developer', '2026-11-25 18:08:16{utc}'
);

INSERT INTO applications (id, developer_id, name, description, logo_url, is_active, implicit_grant_enabled, recent_enabled, events_grant_enabled, created_at, modified_at, deleted_at) VALUES (
  'wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D', 1, 'An application', '', NULL, true, false, false, false, '2026-11-25 18:08:16.410948{utc}', '2026-11-25 18:08:16.410948{utc}', NULL
);

INSERT INTO applications (id, developer_id, name, description, logo_url, is_active, implicit_grant_enabled, recent_enabled, events_grant_enabled, created_at, modified_at, deleted_at) VALUES (
  'z6nhdgE2tWNBJWziHu-RCR4k0-wEhG7q', 1, 'Second', '', NULL, true, false, false, false, '2026-11-25 18:08:16.581911{utc}', '2026-11-25 18:08:16.581911{utc}', NULL
);

INSERT INTO developer_tokens (id, developer_id, token_hash, created_at, revoked_at) VALUES (
  1, 1, '0c1a0c1d1a3d7fe86bd04af69f87b9b3383c515bb90758041389654755a443c8', '2026-11-25 18:08:16{utc}', NULL
);

INSERT INTO accounts (id, application_id, service, identity_key, label, sealed_credentials, is_active, is_enabled, is_admin, is_verified, scope, custom_properties, token_expires_at, refresh_token_expires_at, created_at, modified_at, deleted_at) VALUES (
  1, 'wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D', 'local', 'tests/0c9bc626256bc34b', 'Ada''s photos', '1.28db8898.wiyopgBweS75pOcbGKEuvBpni9h_kVrMuNp0gHpBfuRgg1lKVF9B36wcOTOpBCqOCXc7PzJvvj5qBHC4cnuq98lNvyW_4JxE', true, true, false, true, 'local:normal.storage.default:kloudless', '{"theme":"dark","ä":[1,null]}', NULL, NULL, '2026-11-25 18:08:16.432948{utc}', '2026-11-25 18:08:16.452187{utc}', NULL
);

INSERT INTO accounts (id, application_id, service, identity_key, label, sealed_credentials, is_active, is_enabled, is_admin, is_verified, scope, custom_properties, token_expires_at, refresh_token_expires_at, created_at, modified_at, deleted_at) VALUES (
  2, 'wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D', 'local', 'tests/0c9bc626256bc34b/Folder', 'gone', NULL, true, true, false, true, 'local:normal.storage.default:kloudless', '{}', NULL, NULL, '2026-11-25 18:08:16.462424{utc}', '2026-11-25 18:08:16.462424{utc}', '2026-11-25 18:08:16.476218{utc}'
);

INSERT INTO api_keys (id, application_id, key_hash, sealed_key, created_at, modified_at) VALUES (
  1, 'wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D', '771d20b65cf036a792e660a014212448e8418c6ddee955fff5eb7c2e7ada154d', '1.28db8898.fA5gm_z-n5YsbaDUstGlpl1RuubRcNUAGjJZV3w9T2d4IQw3kCXH50eQOD5ActN6CBwSGcCHXJYFE4e1ta1JyPYSQMmy-0E=', '2026-11-25 18:08:16.412529{utc}', '2026-11-25 18:08:16.412529{utc}'
);

INSERT INTO api_keys (id, application_id, key_hash, sealed_key, created_at, modified_at) VALUES (
  2, 'wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D', 'a576773fe70822708577b47979e94c28b4aa660ca749fd879956bb02f7f01102', '1.28db8898._wAaLLhM1JfPl6vAPYYBEP1zbQdhx5xuWsQ9vT3lUOCibFTZ9R5u1k1Pdu_9B2x-iGgrJRhTohvclfRVO_V4f6PQffo5q8A=', '2026-11-25 18:08:16.571685{utc}', '2026-11-25 18:08:16.571685{utc}'
);

INSERT INTO api_keys (id, application_id, key_hash, sealed_key, created_at, modified_at) VALUES (
  3, 'z6nhdgE2tWNBJWziHu-RCR4k0-wEhG7q', 'c81da307da948c47cae8b5270613bc946b2d420bb23afc55e4d16ef871edee67', '1.28db8898.Rf1uGExUyvcnoo2LDlzVPON_g53am4gkPIztXn-N485b7dUIKRQ7eh8ugt9FN9GXUKxoCO-UllyspCl2rruQ-tMjJoO8lH8=', '2026-11-25 18:08:16.585872{utc}', '2026-11-25 18:08:16.585872{utc}'
);

INSERT INTO tokens (id, account_id, token_hash, scope, created_at) VALUES (
  1, 1, 'e97e8837517d9676a5ddf804c024d25f2aab768f49821608e20cd1d17c8fb539', 'local:normal.storage.default:kloudless', '2026-11-25 18:08:16.443327{utc}'
);

INSERT INTO upload_sessions (id, account_id, parent_raw_id, name, on_conflict, size_bytes, part_size_bytes, sealed_state, state, epoch, claimed_until, result_raw_id, created_at, expires_at) VALUES (
  1, 1, '/', 'b.bin', 'rename', 4, 8388608, '1.28db8898.I8sHZjPpBIrAgSUVssDUwcYgEJDXH_l6fFv1ue_XQe3sHezY7SCMgwbllewX5zUqa2wkYc18wneKUsbbRToVrt6TFjZMNYzCrTaI63krUHzJvRTIKvEVI083', 'open', 0, NULL, NULL, '2026-11-25 18:08:16.501955{utc}', '2099-12-02 18:08:16.501955{utc}'
);

INSERT INTO upload_sessions (id, account_id, parent_raw_id, name, on_conflict, size_bytes, part_size_bytes, sealed_state, state, epoch, claimed_until, result_raw_id, created_at, expires_at) VALUES (
  2, 1, '/', 'c.bin', 'rename', 4, 8388608, '1.28db8898.cjD_nojVzX6TnA6oqM73jxsT0xWnBCCMFkRW3SQrvdGGwtKpu6L9Vdt30n01xn0N4t3nghO_P1GPG1CgtkN8E6bQymasidwf_R2_Obvc-sBedNQ3xnZbcltn', 'finished', 1, NULL, '/c.bin', '2026-11-25 18:08:16.523902{utc}', '2099-12-02 18:08:16.523902{utc}'
);

INSERT INTO upload_parts (upload_session_id, number, size_bytes, receipt, created_at) VALUES (
  1, 1, 4, '1ed52d89edf4ce7f', '2026-11-25 18:08:16.514786{utc}'
);
