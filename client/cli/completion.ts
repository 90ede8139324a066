// Shell completion scripts, generated from the catalog: command names first, then the options of the command, else local files.

import type { CommandSpec, OptionSpec } from './spec.ts'

type Shell = 'bash' | 'zsh' | 'fish'

export interface Words {
  readonly commands: readonly CommandSpec[]
  readonly globals: readonly OptionSpec[]
}

/** Both flags of `-r, --recursive`. */
const flagsOf = (option: OptionSpec): string[] => option.flags.replace(/[<[].*$/, '').split(',').map(flag => flag.trim()).filter(Boolean)

const quoted = (text: string): string => `'${text.replaceAll(`'`, `'\\''`)}'`

export function completionScript(shell: Shell, { commands, globals }: Words): string {
  if (shell === 'fish') return fish(commands, globals)
  const global = globals.flatMap(flagsOf).concat('--help')
  const cases = commands.map(spec => `    ${spec.name}) flags="${[...spec.options.flatMap(flagsOf), ...global].join(' ')}" ;;`)
  const bash = `_gristmill() {
  local current=\${COMP_WORDS[COMP_CWORD]} flags="" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in -*) ;; *) command=\${COMP_WORDS[i]}; break ;; esac
  done
  if [ -z "$command" ]; then
    COMPREPLY=($(compgen -W "${commands.map(spec => spec.name).join(' ')} help ${global.join(' ')}" -- "$current"))
    return
  fi
  case $command in
${cases.join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _gristmill gristmill
`
  return shell === 'bash' ? bash : `#compdef gristmill\nautoload -U +X bashcompinit && bashcompinit\n${bash}`
}

function fish(commands: readonly CommandSpec[], globals: readonly OptionSpec[]): string {
  const line = (condition: string, option: OptionSpec): string => {
    const flags = flagsOf(option).map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')
    return `complete -c gristmill ${condition}${flags}${/[<[]/.test(option.flags) ? ' -r' : ''} -d ${quoted(option.about)}`
  }
  return [
    ...commands.map(spec => `complete -c gristmill -n __fish_use_subcommand -a ${spec.name} -d ${quoted(spec.about)}`),
    ...globals.map(option => line('', option)),
    ...commands.flatMap(spec => spec.options.map(option => line(`-n '__fish_seen_subcommand_from ${spec.name}' `, option))),
    '',
  ].join('\n')
}
