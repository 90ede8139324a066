// Guides to trash, snapshots, quotas, attributes and permissions: each code block, in order, in an empty home, with the documented results.

import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open } from '../../client/index.ts'
import { bundled, compiledIn } from '../tidy/bundle.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-care-'))
  await mkdir(join(dir, 'bin'))
  const shim = join(dir, 'bin/gristmill')
  await writeFile(shim, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'client/cli/gristmill.js')}' "$@"\n`)
  await chmod(shim, 0o755)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function play(guide: string, expected: readonly RegExp[]): Promise<void> {
  const text = await readFile(join(root, `docs/guide/${guide}.md`), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(match => ({ language: match[1]!, text: match[2]! }))
  expect(blocks).toHaveLength(expected.length)
  const env = {
    PATH: `${join(dir, 'bin')}:${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1',
  }
  // The commands use this open cluster, so that each of them starts faster.
  await using _ = await open(join(dir, 'home/embedded'), { logLevel: 'silent' })
  for (const [i, { language, text: code }] of blocks.entries()) {
    let seen: string
    if (language === 'sh') {
      seen = (await exec('bash', ['-euo', 'pipefail', '-c', code], { cwd: dir, env })).stdout
    } else {
      const file = join(dir, `sample${i}.ts`)
      await writeFile(
        file,
        code.replace(/^(import .*)'gristmill'$/m, (_, start: string) => `${start}'${pathToFileURL(bundled('library')).href}'`),
      )
      seen = (await exec(process.execPath, [file], { cwd: dir, env: { ...env, NODE_COMPILE_CACHE: compiledIn } })).stdout
    }
    expect(seen, `${guide}, block ${i + 1}`).toMatch(expected[i]!)
  }
}

test('the guide to the trash', () => play('trash', [
  /^ITEM +REMOVED +BY +SIZE +FROM\n\d{8}T\d{6}\.\d{3}Z-\d+ .* - +\/grain\/\n\/grain\nrye\n$/,
  /^$/,
  /^\/oats\.txt file\n\/again\/oats\.txt\n0\n$/,
]))

test('the guide to snapshots', () =>
  play('snapshots', [
    /^\/grain\/\.snapshot\/monday\n\/grain:\n2026\nbarley\.txt\n\n\/grain\/2026:\noats\.txt\nrye\n- \.\/2026\/rye\.txt\nR \.\/oats\.txt → \.\/2026\/oats\.txt\n\+ \.\/barley\.txt\n$/,
    /^\/grain\/\.snapshot\/tuesday\n- \.\/2026\/rye\.txt\n(\+ \.\/2026\/rye\.txt\n|\+ \.\/barley\.txt\n|R \.\/oats\.txt → \.\/2026\/oats\.txt\n){3}\/grain\/\.snapshot\/monday\n\/grain\/\.snapshot\/tuesday\n$/,
    /^fine\n\ndeleted \/rye\.txt\ncreated \/rye\.txt\n$/,
  ]))

test('the guide to quotas', () => play('quotas', [
  /^NAMES +OF +BYTES +OF +PATH\n +2 +2 +9 B +1\.0 KiB +\/bins\n2 +1 +1024 +1020 +1 +1 +4 +\/bins\n$/,
  /^EDQUOT \{ names: 0 \}\n$/,
]))

test('the guide to extended attributes', () =>
  play('xattrs', [
    /^user\.harvest +2026\nuser\.origin +field 7\nfield 7\n\{"path":"\/copy\.txt","name":"user\.harvest","value":"MjAyNg=="\}\n\{"path":"\/copy\.txt","name":"user\.origin","value":"ZmllbGQgNw=="\}\n$/,
    /^user\.moisture 4\nuser\.raw 2\n12 %\n$/,
  ]))

test('the guide to permissions', () =>
  play('permissions', [
    new RegExp([
      '^# file: /harvest', '# owner: .+', '# group: .+', 'user::rwx', 'user:bob:r-x', 'group::r-x', 'group:millers:rwx\t#effective:r-x',
      'mask::r-x', 'other::---', 'default:user::rwx',
      'default:user:bob:r-x', 'default:group::r-x', 'default:mask::r-x', 'default:other::---', '',
      '-rw-r-----\\+ .*oats\\.txt', '-rw-r--r-- .*rye\\.txt',
      '\\{"path":"/harvest",.*"mode":488,"entries":\\[\\{"scope":"access","type":"user","permissions":"rwx","effective":"rwx"\\},.*\\]\\}',
      '\\{"path":"/copy/oats\\.txt",.*"mode":424,(?!.*bob).*\\}', '$',
    ].join('\n')),
    /^\[ 'user - 6', 'user bob 6', 'group - 4', 'mask - 4', 'other - 4' \]\nundefined\n$/,
  ]))
