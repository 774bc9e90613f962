// Lists, uploads and downloads with openapi-fetch and the types that openapi-typescript made; run by a test.

import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

function check(isTrue: boolean, what: unknown): asserts isTrue {
  if (!isTrue) throw new Error(JSON.stringify(what));
}

const [baseUrl, accountId] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl, headers: { Authorization: `APIKey ${process.env.API_KEY}` } });
const path = { account_id: accountId };

const uploaded = await client.POST("/v1/accounts/{account_id}/storage/files", {
  params: { path, header: { "X-Kloudless-Metadata": JSON.stringify({ name: "a.txt", parent_id: "root" }) } },
  headers: { "Content-Type": "application/octet-stream" },
  body: "some bytes",
  bodySerializer: (body) => body,
});
const file = uploaded.data;
check(file !== undefined && file.type === "file", uploaded.error);
const size: number | null = file.size;
check(size === 10, size);

const listed = await client.GET("/v1/accounts/{account_id}/storage/folders/{folder_id}/contents", {
  params: { path: { ...path, folder_id: "root" } },
});
check(listed.data !== undefined, listed.error);
const names: string[] = listed.data.objects.map((entry) => entry.name);
check(names.join() === "a.txt", names);

const downloaded = await client.GET("/v1/accounts/{account_id}/storage/files/{file_id}/contents", {
  params: { path: { ...path, file_id: file.id } },
  parseAs: "text",
});
check(downloaded.data === "some bytes", downloaded.error);

const refused = await client.GET("/v1/accounts/{account_id}/storage/folders/{folder_id}/contents", {
  params: { path: { ...path, folder_id: "nonsense" } },
});
check(refused.error !== undefined, refused.data);
const code: string = refused.error.error_code;
check(code === "not_found", code);
