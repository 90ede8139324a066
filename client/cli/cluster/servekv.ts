// serve-kv: serves a key-value store that a job has made, over HTTP.

import { normalise } from '../../../src/base/paths.ts'
import { parseWhole } from '../../../src/base/units.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { option, whole, type CommandSpec } from '../spec.ts'

const portOf = (text: string): number => {
  const port = parseWhole(text, 0, 65_535)
  if (Number.isNaN(port)) throw new Refusal('EINVAL', `"${text}" is not a port; write a number from 0 to 65535`)
  return port
}

interface Flags { readonly port?: number; readonly host?: string; readonly tokenFile?: string; readonly keep?: number }

export const serveKv: CommandSpec = {
  name: 'serve-kv', args: '<path>', about: 'serve a key-value store that a job has made',
  notes:
    'The path is an output of saveKeyValue. GET /v1/keys/KEY returns one value, POST /v1/batch several, and GET /v1/status the version that is served. When a job publishes the path again, or after gristmill rollback, the server switches to that version within seconds; every request is answered from one version. A version that cannot be read is not served: the one before stays.\n'
    + 'Any number of servers can serve a store, on any machines; GET /healthz is for the load balancer in front of them.',
  options: [
    option('--port <n>', 'port to listen on; 0: any free one (default: 8611)', { parse: portOf }),
    option('--host <name>', 'address to listen on (default: 127.0.0.1); others than loopback need --token-file'),
    option('--token-file <file>', 'file with a token: requests must have Authorization: Bearer TOKEN'),
    option('--keep <n>', 'versions whose files stay on this machine, so that a rollback is instant (default: 2)', { parse: whole(1, 100) }),
  ],
  examples: [['gristmill serve-kv /scores --port 8611', 'then: curl http://127.0.0.1:8611/v1/keys/ada']],
  run,
}

async function run(context: CommandContext, [path]: readonly string[], { port, host, tokenFile, keep }: Flags): Promise<void> {
  const { serveKeyValue } = await import('../../process/servekv.ts')
  const { printer, signal, json } = context
  const parts = { world: await context.world(), settings: await context.settings(), mill: await context.mill(), signal }
  await serveKeyValue(parts, { path: normalise(path!), port, host, tokenFile, keep }, async served => {
    const { url, records, version } = served
    if (json) await printer.json({ ...served }, { compact: true })
    else await printer.line(`${served.path} is served at ${url} (${records} keys${version === undefined ? '' : `, version ${version}`})`)
    await printer.flush()
  })
}
