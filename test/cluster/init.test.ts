// Projects that `gristmill init` writes: the commands of each README give the right result in an empty home. pack.test.ts type-checks the
// projects against the installed package.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { templates } from '../../client/cli/jobs/init.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)

/** Output of the last command of the README. */
const results: Readonly<Record<string, string>> = {
  wordcount:
    'and\t1\nblow\t2\nby\t1\nfor\t1\ngrinds\t1\nhigh\t2\nhorse\t1\nlow\t1\nmill\t2\nno\t1\noats\t2\npasses\t1\nrye\t2\nstand\t1\nstands\t2\nstill\t1\n'
    + 'that\t1\nthe\t5\nwhen\t2\nwinds\t2\n',
  csv: 'town,sales,total\nBern,2,48.30\n"Frankfurt, Oder",1,9.50\nUlm,2,43.00\n',
  jsonl: '{"page":"/","visits":3,"slowestMs":95}\n{"page":"/grain","visits":2,"slowestMs":48}\n',
  join: 'order,customer,town,sum\n502,Ada,Ulm,3.00\n501,Bo,"Frankfurt, Oder",12.50\n503,Bo,"Frankfurt, Oder",7.25\n',
  topn: 'the\t5\nblow\t2\nhigh\t2\n',
}

let dir: string
let env: Record<string, string>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-init-'))
  env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1' }
})

afterAll(() => rm(dir, { recursive: true, force: true }))

test.each(Object.keys(templates))('the project %s does what its README says', async template => {
  const project = join(dir, template)
  await exec(process.execPath, [join(root, 'client/cli/gristmill.js'), 'init', '--template', template, project], { env })
  // As npm install does it, without the network.
  const bin = join(project, 'node_modules/.bin')
  await mkdir(bin, { recursive: true })
  await symlink(root, join(project, 'node_modules/gristmill'))
  await symlink(join(root, 'client/cli/gristmill.js'), join(bin, 'gristmill'))

  const readme = await readFile(join(project, 'README.md'), 'utf8')
  const commands = /^```sh\n([\s\S]*?)^```$/m.exec(readme)![1]!.replaceAll(/^npx (?=gristmill )/gm, '')
  const { stdout } = await exec('bash', ['-euc', commands], { cwd: project, env: { ...env, PATH: `${bin}:${env['PATH']}` } })
  // After the counts of `run`.
  expect(stdout.endsWith(`\n${results[template]!}`), stdout).toBe(true)
})
