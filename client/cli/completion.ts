// completion: prints a completion script for a shell, generated from the specifications of the commands. The script completes commands,
// their verbs, options, and local files.

import { GristmillError } from '../../src/base/errors.ts'
import type { CommandContext } from './context.ts'
import { flagsOf, isValued, type CommandSpec, type OptionSpec } from './spec.ts'

interface Words {
  readonly commands: readonly CommandSpec[]
  readonly globals: readonly OptionSpec[]
}

/** `load`: loads the specifications of all commands, this one among them. */
export const completionOf = (load: () => Promise<Words>): CommandSpec => ({
  name: 'completion', args: '<shell>', about: 'print a completion script for bash, zsh or fish',
  options: [], examples: [['gristmill completion bash >> ~/.bashrc', 'for every new shell']],
  run: async (context: CommandContext, operands: readonly string[]): Promise<void> => {
    const shell = shells.find(name => name === operands[0])
    if (!shell) throw new GristmillError('USAGE', `"${operands[0]}" is not a supported shell; supported are bash, zsh and fish`)
    await context.printer.text(completionScript(shell, await load()))
  },
})

const shells = ['bash', 'zsh', 'fish'] as const

export function completionScript(shell: (typeof shells)[number], words: Words): string {
  if (shell === 'fish') return fish(words)
  return shell === 'bash' ? bash(words) : `#compdef gristmill\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`
}

const visible = ({ options }: CommandSpec): OptionSpec[] => options.filter(({ hidden }) => !hidden)

function bash({ commands, globals }: Words): string {
  const global = globals.flatMap(flagsOf).concat('--help')
  const withVerbs = commands.filter(({ verbs }) => verbs)
  const verbsOf = withVerbs.map(({ name, verbs }) => `    ${name}) verbs="${verbs!.map(verb => verb.name).join(' ')}" ;;`)
  const caseOf = (path: string, spec: CommandSpec): string => `    ${path}) ` +
    `flags="${[...visible(spec).flatMap(flagsOf), ...global].join(' ')}" ;;`
  const cases = commands.flatMap(spec => [
    caseOf(spec.name, spec), ...(spec.verbs ?? []).map(verb => caseOf(`"${spec.name} ${verb.name}"`, verb)),
  ])
  return `_gristmill() {
  local current=\${COMP_WORDS[COMP_CWORD]} flags="" command="" verbs="" verb="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -z "$command" ]; then
      case $word in -*|help) continue ;; esac
      command=$word
      case $command in
${verbsOf.join('\n')}
      esac
    elif [ -n "$word" ] && [ -z "$verb" ] && [[ " $verbs " == *" $word "* ]]; then
      verb=$word
    fi
  done
  if [ -z "$command" ]; then
    COMPREPLY=($(compgen -W "${commands.map(spec => spec.name).join(' ')} help ${global.join(' ')}" -- "$current"))
    return
  fi
  case "$command\${verb:+ $verb}" in
${cases.join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *)
      if [ -n "$verbs" ] && [ -z "$verb" ]; then COMPREPLY=($(compgen -W "$verbs" -- "$current"))
      else COMPREPLY=($(compgen -f -- "$current")); fi ;;
  esac
}
complete -o filenames -F _gristmill gristmill
`
}

const quoted = (text: string): string => `'${text.replaceAll(`'`, `'\\''`)}'`

/** True if the first words of the line that are no options are these; with -x, if there are no more of them. */
const fishAt = `function __gristmill_at
    set -l exact (test "$argv[1]" = -x; and echo yes)
    set -q exact[1]; and set -e argv[1]
    set -l named
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a named $word
    end
    set -q named[(count $argv)]; or return 1
    set -q exact[1]; and test (count $named) -ne (count $argv); and return 1
    test "$named[1..(count $argv)]" = "$argv"
end`

function fish({ commands, globals }: Words): string {
  const line = (condition: string, option: OptionSpec): string => {
    const flags = flagsOf(option).map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')
    return `complete -c gristmill ${condition}${flags}${isValued(option) ? ' -r' : ''} -d ${quoted(option.about)}`
  }
  const optionsOf = (path: string, spec: CommandSpec): string[] => visible(spec).map(option => line(`-n '__gristmill_at ${path}' `, option))
  return [
    fishAt,
    ...commands.map(spec => `complete -c gristmill -n __fish_use_subcommand -a ${spec.name} -d ${quoted(spec.about)}`),
    ...globals.map(option => line('', option)),
    ...commands.flatMap(spec => optionsOf(spec.name, spec)),
    ...commands.flatMap(({ name, verbs = [] }) => verbs.flatMap(verb => [
      `complete -c gristmill -n '__gristmill_at -x ${name}' -a ${verb.name} -d ${quoted(verb.about)}`,
      ...optionsOf(`${name} ${verb.name}`, verb),
    ])),
    '',
  ].join('\n')
}
