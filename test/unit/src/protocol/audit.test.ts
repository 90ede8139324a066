// Audit log: every change that a user can ask for has an entry, and no secret, variable or parameter gets into it. Entries are written to a
// real file.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as job from '../../../../src/protocol/job.ts'
import { message, type Message } from '../../../../src/protocol/message.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import * as quota from '../../../../src/protocol/quota.ts'
import Type from '../../../../src/protocol/schema.ts'
import * as safety from '../../../../src/protocol/safety.ts'
import * as server from '../../../../src/protocol/server.ts'
import * as service from '../../../../src/protocol/service.ts'
import * as snapshot from '../../../../src/protocol/snapshot.ts'
import * as trash from '../../../../src/protocol/trash.ts'
import * as version from '../../../../src/protocol/version.ts'
import * as writing from '../../../../src/protocol/writing.ts'
import * as xattr from '../../../../src/protocol/xattr.ts'
import { auditFile } from '../../../../src/world/auditfile.ts'

const messages = [namespace, writing, quota, trash, snapshot, version, xattr, safety, server, service, job]
  .flatMap(room => Object.values(room) as unknown[])
  .filter((each): each is Message => typeof each === 'object' && each !== null && 'path' in each && 'mutation' in each)

/** Steps of a call that has an entry of its own, and calls that the client makes by itself. */
const steps = ['writing.allocate', 'writing.renew', 'job.splits', 'namespace.bad']

test('every change that a user can ask for has an entry', () => {
  expect(messages.length).toBeGreaterThan(40)
  expect(messages.filter(each => each.mutation && !each.audit && !steps.includes(each.name)).map(each => each.name)).toEqual([])
  expect(messages.filter(each => each.mutation && each.audit?.read).map(each => each.name)).toEqual([])
})

test('a message says who calls it; one of users what the audit log gets, or why nothing; and a mutation whether names are checked', () => {
  const parts = { request: Type.Object({}), reply: Type.Object({}) }
  // @ts-expect-error no callers
  message('test.a', parts)
  // @ts-expect-error no audit
  message('test.b', { ...parts, callers: 'user' })
  // @ts-expect-error no paths
  message('test.c', { ...parts, callers: 'node', mutation: true })
  // @ts-expect-error an entry in the audit log for a call of the cluster itself
  message('test.d', { ...parts, callers: 'node', audit: () => ({}) })
  expect(messages.filter(each => each.audit && each.callers === 'node')).toEqual([])
  expect(messages.filter(each => each.mutation !== (each.paths !== undefined)).map(each => each.name)).toEqual([])
})

test('variables and parameters of a job, and values of extended attributes, are in no entry', () => {
  const spec = {
    name: 'n', patterns: ['/in'], output: { path: '/out' }, env: { TOKEN: 'hush' }, params: { password: 'hush' },
    stages: [{ anything: 'hush' }],
  }
  const of = (each: Message, request: unknown): unknown => each.audit!.fields(request as never, undefined)
  expect(of(job.submit, { requestId: 'r', spec })).toEqual({ job: undefined, name: 'n', inputs: ['/in'], output: '/out' })
  expect(of(xattr.set, { requestId: 'r', path: '/f', name: 'user.a', value: 'hush' })).toEqual({ path: '/f', name: 'user.a' })
  for (const each of messages.filter(one => one.audit)) {
    const request = {
      spec: { name: 'n', output: {} }, output: {}, requestId: 'hush', value: 'hush', env: 'hush', params: 'hush',
      files: [{ path: '/f', content: { data: 'hush' } }], sources: [],
    }
    expect(JSON.stringify(of(each, request)) ?? '').not.toContain('hush')
  }
})

test('fields that are too long are cut, and the line says by how much', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gristmill-audit-'))
  try {
    const file = join(directory, 'audit.log')
    const audit = auditFile({ file, reads: false })
    const path = `/${'p'.repeat(4095)}`
    const inputs = Array.from({ length: 100 }, (_, i) => `/${String(i).padEnd(4000, 'x')}`)
    const entry = { atMs: 0, user: 'ann', address: '::1', action: 'job.submit', read: false, outcome: 'EACCES' }
    audit({ ...entry, fields: { name: '\u{1f600}\u0001'.repeat(4000), inputs, output: path } })
    audit({ ...entry, fields: { from: path, to: path } })
    const text = readFileSync(file, 'utf8')
    expect(text.length).toBeLessThan(32 * 1024)
    const [first, second] = text.trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
    // An emoji takes 4 bytes and 2 characters, the escape 6 bytes and 1 character.
    expect(first).toMatchObject({
      name: '\u{1f600}\u0001'.repeat(819), inputs: inputs.slice(0, 2), output: path, cut: { name: 12_000 - 819 * 3, inputs: 98 },
    })
    expect(second).toMatchObject({ from: path, to: path })
    expect(second).not.toHaveProperty('cut')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a line of the file is JSON with time, user, address, action, outcome and arguments; calls that only ask are left out', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gristmill-audit-'))
  try {
    const file = join(directory, 'log/audit.log')
    const entry = {
      atMs: 0, user: 'ann', address: '::1', action: 'namespace.remove', read: false, outcome: 'ok',
      fields: { path: '/a\nb\u001b[31m', item: undefined },
    }
    for (const reads of [false, true]) {
      const audit = auditFile({ file, reads })
      audit(entry)
      audit({ ...entry, action: 'namespace.stat', read: true })
    }
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines[0]).toBe(
      '{"time":"1970-01-01T00:00:00.000Z","user":"ann","address":"::1","action":"namespace.remove","outcome":"ok","path":"/a\\nb\\u001b[31m"}',
    )
    expect(lines.slice(0, -1).map(line => (JSON.parse(line) as { action: string }).action))
      .toEqual(['namespace.remove', 'namespace.remove', 'namespace.stat'])
    expect(lines.at(-1)).toBe('')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
