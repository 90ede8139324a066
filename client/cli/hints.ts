// Commands that messages advise, for the cluster that this command line has selected: `gristmill down` after `up --home X` is
// `gristmill --home X down`. Options alone count: variables and the settings file hold for the next command, too.

import { quoteName } from '../../src/base/quote.ts'

/** Options that select a cluster. `up` and `down` are about that of the home. */
const selecting = [['cluster', '--cluster'], ['secretFile', '--secret-file'], ['home', '--home'], ['config', '--config']] as const
const ofHome = new Set(['home', 'config'])
const local = new Set(['up', 'down'])
/** These use no cluster. */
const without = new Set(['init', 'completion', 'help'])

/**
 * The text with these options of the command line in each command of gristmill that it names; a path that ends with the word is none.
 * `names`: of all commands.
 */
export function hinted(text: string, options: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): string {
  const given = selecting.filter(([name]) => typeof options[name] === 'string')
  if (given.length === 0) return text
  return text.replaceAll(/(?<![\w./-])gristmill ([a-z][a-z-]*)\b/g, (all, name: string) => {
    if (!names.has(name) || without.has(name)) return all
    const chosen = given.filter(([option]) => !local.has(name) || ofHome.has(option))
    return ['gristmill', ...chosen.map(([option, flag]) => `${flag} ${quoteName(String(options[option]))}`), name].join(' ')
  })
}
