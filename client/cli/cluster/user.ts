// user: users of gateways that verify them, their access keys and passwords.

import { GristmillError } from '../../../src/base/errors.ts'
import type { CommandContext } from '../context.ts'
import { formatTime } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { tabulate } from '../table.ts'

export const user: CommandSpec = {
  name: 'user', args: '', about: 'add users of gateways, with keys and passwords',
  notes:
    'S3 clients sign their requests with an access key; the gateway acts as the user of the key, with the rights that this user has everywhere. Commands and programs that have the cluster\'s secret need no entry here.',
  options: [],
  examples: [
    ['gristmill user add ada', 'a user without keys'],
    ['gristmill user key ada', 'make an access key; its secret is shown once'],
    ['gristmill user passwd ada', 'a password for WebHDFS'],
    ['gristmill user ls', 'users and the ids of their keys'],
  ],
  verbs: [
    {
      name: 'add', args: '<name...>', about: 'add users (for the superuser)',
      notes: 'A name has no white space, colon, comma or slash in it, because HTTP Basic, lists of rights and addresses end it there.',
      options: [], examples: [['gristmill user add ada grace', 'two users']],
      run: add,
    },
    {
      name: 'ls', args: '', about: 'list users and the ids of their keys',
      notes: 'The superuser sees all users, others see themselves.',
      options: [], examples: [['gristmill user ls', 'one line for each user']],
      run: list,
    },
    {
      name: 'rm', args: '<name...>', about: 'remove users and their keys (for the superuser)',
      notes: 'Files keep their owner. Gateways refuse the keys within 5 seconds.',
      options: [], examples: [['gristmill user rm ada', 'the keys of ada are refused']],
      run: remove,
    },
    {
      name: 'key', args: '<name>', about: 'make or remove an access key of a user',
      notes:
        'Prints the id and the secret; the secret cannot be shown again. The user and the superuser may do this. With --id and --secret-key the key of another system is taken over, so that its clients go on unchanged.',
      options: [
        option('--id <id>', 'id of the key (default: a new one)'),
        option('--secret-key <file>', 'local file with the secret (default: a new secret)'),
        option('--rm <id>', 'remove this key instead'),
      ],
      examples: [
        ['gristmill user key ada', 'a new key'],
        ['gristmill user key ada --rm GMQ3XV6Z2MJ4E5K7A2BC', 'gateways refuse it within 5 seconds'],
      ],
      run: key,
    },
    {
      name: 'passwd', args: '<name>', about: 'set or remove the password of a user',
      notes:
        'The password is read from stdin, on a terminal without showing it. WebHDFS and SQL over HTTP take the name and the password with HTTP Basic, over TLS or on the same machine; S3 and the PostgreSQL protocol take access keys only. The user and the superuser may do this. Gateways take the old password for up to 5 seconds.',
      options: [
        option('--file <file>', 'local file whose first line is the password (default: stdin)'),
        option('--rm', 'remove the password instead'),
      ],
      examples: [
        ['gristmill user passwd ada', 'asks for the password'],
        ['gristmill user passwd ada --rm', 'ada has access keys only'],
      ],
      run: passwd,
    },
  ],
}

async function add(context: CommandContext, names: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(names, name => mill.users.add(name, { signal: context.signal }))
}

async function remove(context: CommandContext, names: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(names, name => mill.users.rm(name, { signal: context.signal }))
}

const columns = [{ title: 'NAME' }, { title: 'ADDED' }, { title: 'KEYS' }] as const

async function list(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const nowMs = (await context.world()).clock.now()
  const rows: string[][] = []
  for await (const each of mill.users.list({ signal })) {
    if (context.json) await printer.json(each, { compact: true })
    else {
      const keys = each.keys.map(({ id }) => printer.cell(id)).join(' ') || '-'
      rows.push([printer.cell(each.name), formatTime(each.createdMs, nowMs), keys])
    }
  }
  if (rows.length > 0) for (const line of tabulate(columns, rows)) await printer.line(line)
}

interface KeyOptions { id?: string; secretKey?: string; rm?: string }

async function key(context: CommandContext, [name]: readonly string[], { id, secretKey, rm }: KeyOptions): Promise<void> {
  const { printer, signal } = context
  if (rm !== undefined && (id !== undefined || secretKey !== undefined))
    throw new GristmillError('USAGE', '--rm removes a key; --id and --secret-key make one')
  const mill = await context.mill()
  if (rm !== undefined) return mill.users.rmKey(rm, { signal })
  const secret = secretKey === undefined ? undefined : await secretIn(context, secretKey)
  const made = await mill.users.addKey(name!, { id, secret, signal })
  if (context.json) return printer.json(made)
  await printer.line(`access key  ${printer.cell(made.id)}`)
  await printer.line(`secret key  ${printer.cell(made.secret)}`)
}

async function secretIn(context: CommandContext, file: string): Promise<string> {
  const { disk } = await context.world()
  const bytes = await disk.readFile(file).catch((error: unknown) => {
    // The text may be the secret itself: it is not repeated.
    if (['ENOENT', 'ENAMETOOLONG', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) throw new GristmillError(
      'EINVAL', '--secret-key names a local file with the secret, not the secret itself, which other users of this machine would see in the list of processes; there is no such file',
      { cause: error },
    )
    throw error
  })
  return bytes.toString().trim()
}

async function passwd(
  context: CommandContext, [name]: readonly string[], { file, rm = false }: { file?: string; rm?: boolean },
): Promise<void> {
  const { signal, printer } = context
  if (rm && file !== undefined) throw new GristmillError('USAGE', '--rm removes the password; --file sets one')
  const mill = await context.mill()
  if (rm) return mill.users.passwd(name!, null, { signal })
  const text = file === undefined
    ? await printer.hidden(`password of ${printer.cell(name!)}: `, signal)
    : (await (await context.world()).disk.readFile(file)).toString()
  await mill.users.passwd(name!, text.split(/\r?\n/, 1)[0]!, { signal })
}
