// upload: lists and removes uploads in parts that S3 clients have begun and not ended.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { parseDuration } from '../../../src/base/units.ts'
import { uploadsDirectory } from '../../../src/protocol/object.ts'
import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { formatHuman, formatTime } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { tabulate } from '../table.ts'

const olderThan = option('--older-than <time>', 'only uploads begun at least this long ago, for instance 1d', { parse: parseDuration })

export const upload: CommandSpec = {
  name: 'upload', args: '', about: 'list and remove unfinished uploads in parts',
  notes:
    'S3 clients send large objects in parts. The parts hold space until the client completes or aborts the upload, or until the cluster removes it 7 days after its begin (setting uploadKeep).',
  options: [],
  examples: [
    ['gristmill upload ls', 'open uploads, and what they hold'],
    ['gristmill upload rm --older-than 1d', 'those that were begun a day ago or earlier'],
  ],
  verbs: [
    {
      name: 'ls', args: '', about: 'list open uploads',
      notes: 'The superuser sees the uploads of all users, others see their own. BEGUN is when the client began the upload.',
      options: [olderThan], examples: [['gristmill upload ls --older-than 1d', 'id, time, user, parts, size and key']],
      run: list,
    },
    {
      name: 'rm', args: '[id...]', about: 'remove open uploads and free their space',
      operands: [['[id...]', 'uploads as `upload ls` shows them']],
      notes: 'A client that goes on with one gets the error NoSuchUpload.',
      options: [olderThan],
      examples: [
        ['gristmill upload rm 68f0c3a1b2d4e5f6a7b8c9d0', 'one upload'], ['gristmill upload rm --older-than 7d', 'old ones'],
      ],
      run: remove,
    },
  ],
}

interface Asked { olderThan?: number }

interface ListedUpload {
  readonly id: string
  readonly user: string
  readonly bucket: string
  readonly key: string
  readonly begunMs: number
}

async function* uploadsOf(
  context: CommandContext, mill: Mill, { olderThan: ageMs = 0 }: Asked,
): AsyncGenerator<ListedUpload, void, undefined> {
  const { openUploads } = await import('../../gateway/s3/uploads.ts')
  const beforeMs = (await context.world()).clock.now() - ageMs
  for await (const { id, owner, bucket, key, mtimeMs } of openUploads({ mill, signal: context.signal }))
    if (mtimeMs <= beforeMs) yield { id, user: owner, bucket, key, begunMs: mtimeMs }
}

const columns = [
  { title: 'ID' }, { title: 'BEGUN' }, { title: 'BY' }, { title: 'PARTS', align: 'right' }, { title: 'SIZE', align: 'right' },
  { title: 'KEY' },
] as const

async function list(context: CommandContext, _operands: readonly string[], asked: Asked): Promise<void> {
  const { printer } = context
  const mill = await context.mill()
  const nowMs = (await context.world()).clock.now()
  const rows: string[][] = []
  for await (const found of uploadsOf(context, mill, asked)) {
    const held = await heldBy(context, mill, found.id)
    if (!held) continue
    const { id, user, bucket, key, begunMs } = found
    if (context.json) await printer.json({ ...found, ...held }, { compact: true })
    else rows.push([
      id, formatTime(begunMs, nowMs), printer.cell(user), String(held.parts), formatHuman(held.bytes), printer.cell(`${bucket}/${key}`),
    ])
  }
  if (rows.length > 0) for (const line of tabulate(columns, rows)) await printer.line(line)
}

/** Parts of an upload and their bytes; undefined: it has ended meanwhile. */
async function heldBy({ signal }: CommandContext, mill: Mill, id: string): Promise<{ parts: number; bytes: number } | undefined> {
  let [parts, bytes] = [0, 0]
  try {
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: Awaited<ReturnType<Mill['objects']['list']>> = await mill.objects.list(`${uploadsDirectory}/${id}`, { after, signal })
      parts += page.entries.length
      for (const { status } of page.entries) bytes += status?.length ?? 0
      after = page.next
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  return { parts, bytes }
}

async function remove(context: CommandContext, ids: readonly string[], asked: Asked): Promise<void> {
  if ((ids.length === 0) === (asked.olderThan === undefined))
    throw new GristmillError('USAGE', 'name the uploads to remove, as `gristmill upload ls` shows them, or their age with --older-than')
  const mill = await context.mill()
  const { signal } = context
  if (ids.length > 0) {
    await context.each(ids, async id => {
      if (!/^[0-9a-f]{24}$/.test(id)) throw new GristmillError('EINVAL', `${id} is no id of an upload; see \`gristmill upload ls\``)
      await mill.rm(`${uploadsDirectory}/${id}`, { recursive: true, skipTrash: true, signal })
    })
    return
  }
  const old: string[] = []
  for await (const { id } of uploadsOf(context, mill, asked)) old.push(id)
  await context.each(old, async id => {
    await mill.rm(`${uploadsDirectory}/${id}`, { recursive: true, force: true, skipTrash: true, signal })
    if (context.json) await context.printer.json({ removed: id }, { compact: true })
    else await context.printer.line(`removed ${id}`)
  })
}
