// Guides of the first hour: the commands of each code block, run by bash as a newcomer would run them, in an empty home and directory. Each
// block prints the text of the block after it, beside the summaries of `run`.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { run } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { Peer } from './peer.ts'

/** The two lines with which `run` ends. */
const summary = /^succeeded in .*\noutput: .*\n/gm

/** Blocks of commands with what they print, if the guide says it. */
function blocksOf(guide: string): { commands: string; printed: string | undefined }[] {
  const fences = [...guide.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(match => ({ language: match[1], text: match[2]! }))
  return fences.flatMap(({ language, text }, i) => {
    const next = fences[i + 1]
    return language === 'sh' ? [{ commands: text, printed: next?.language === 'text' ? next.text : undefined }] : []
  })
}

/** Commands, or what they print, with the port of the namenode that runs, in place of the usual one, which another test may have. */
async function portIn(dir: string, text: string): Promise<string> {
  const file = join(dir, '.gristmill/cluster.json')
  if (!existsSync(file)) return text
  const { namenode } = JSON.parse(await readFile(file, 'utf8')) as { namenode: string }
  return text.replaceAll('127.0.0.1:8620', namenode)
}

/**
 * `open`: a process beside the commands has the embedded cluster open, so that each of the many commands starts faster. The first steps,
 * in getting-started, leave that to each command.
 */
test.each([
  ['builtins', 3, 'open'], ['getting-started', 5, 'closed'], ['monitoring', 7, 'closed'], ['undo', 10, 'open'], ['stream', 5, 'open'],
  ['sql', 9, 'open'], ['hdfs', 2, 'open'], ['workflows', 4, 'open'],
])('the commands of the guide %s print what it shows', async (name, printing, embedded) => {
  const blocks = blocksOf(await readFile(join(root, `docs/guide/${name}.md`), 'utf8'))
  expect(blocks.filter(({ printed }) => printed !== undefined)).toHaveLength(printing)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-hour-'))
  const home = join(dir, '.gristmill')
  let owner: Peer | undefined
  try {
    await mkdir(join(dir, 'bin'))
    await symlink(join(root, 'client/cli/gristmill.js'), join(dir, 'bin/gristmill'))
    const env = {
      PATH: `${join(dir, 'bin')}:${dirname(process.execPath)}:${process.env['PATH']}`, HOME: dir, GRISTMILL_HOME: home,
      NO_COLOR: '1', PS1: '',
    }
    if (embedded === 'open') owner = await new Peer(join(home, 'embedded'), env).ready()
    const bash = async (commands: string) =>
      promisify(execFile)('bash', ['-eo', 'pipefail', '-c', await portIn(dir, commands)], { cwd: dir, env })
    for (const { commands, printed } of blocks) {
      const { stdout } = await bash(commands)
      if (printed !== undefined) expect(stdout.replaceAll(summary, ''), commands).toBe(await portIn(dir, printed))
    }
  } finally {
    await owner?.leave()
    if (existsSync(join(home, 'cluster.json'))) await run(['down'], { PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: home })
    await rm(dir, { recursive: true, force: true })
  }
})
