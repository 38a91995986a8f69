import { Argument, type Command } from 'commander';
import { defineWhole } from './command.ts';

/** `sammix completion` */
export function define(command: Command): void {
  command
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
Examples:
  $ sammix completion bash > ~/.local/share/bash-completion/completions/sammix
  $ sammix completion zsh > "\${fpath[1]}/_sammix"
  $ sammix completion fish > ~/.config/fish/completions/sammix.fish`,
    )
    .action(async (shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell](await wordsOf(command.parent!)));
    });
}

interface Word {
  readonly word: string;
  readonly description: string;
}

/** What may follow a command: its own commands and its options. */
interface CommandWords {
  /** [] for sammix itself, ["site", "status"] for a command of a command. */
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

/** Of a command and all below it, the deepest first. */
async function wordsOf(command: Command, path: readonly string[] = []): Promise<CommandWords[]> {
  const below: CommandWords[] = [];
  for (const child of command.commands) {
    await defineWhole(child);
    below.push(...(await wordsOf(child, [...path, child.name()])));
  }
  const options = command.createHelp().visibleOptions(command);
  const own = {
    path,
    commands: command.commands.map((one) => word(one.name(), one.description())),
    options: options.map((one) => word(one.long ?? one.short ?? '', one.description)),
  };
  return [...below, own];
}

const word = (name: string, description: string): Word => ({ word: name, description });

const names = (words: readonly Word[]): string => words.map(({ word }) => word).join(' ');
/** A description inside single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const SCRIPTS = {
  bash: (all: readonly CommandWords[]): string => `_sammix() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" commands options
  case " \${COMP_WORDS[*]:1:COMP_CWORD-1} " in
${all
  .map(
    ({ path, commands, options }) =>
      `    ${path.length > 0 ? `" ${path.join(' ')} "*` : '*'}) commands="${names(commands)}" options="${names(options)}" ;;`,
  )
  .join('\n')}
  esac
  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else COMPREPLY=($(compgen -W "$commands" -- "$cur")); fi
}
complete -o default -F _sammix sammix
`,

  zsh: (all: readonly CommandWords[]): string => `#compdef sammix
local -a commands options
case " \${words[2,CURRENT-1]} " in
${all
  .map(
    ({ path, commands, options }) => `  ${path.length > 0 ? `" ${path.join(' ')} "*` : '*'})
    commands=(${commands.map(zshWord).join(' ')})
    options=(${options.map(zshWord).join(' ')}) ;;`,
  )
  .join('\n')}
esac
if [[ $PREFIX == -* ]]; then _describe option options
elif (( $#commands )); then _describe command commands
else _files; fi
`,

  fish: (all: readonly CommandWords[]): string =>
    `${all
      .flatMap(({ path, commands, options }) => {
        const when = `-n ${quoted(fishCondition(path, commands, groupsOf(all)))}`;
        return [
          ...commands.map(
            ({ word, description }) =>
              `complete -c sammix -f ${when} -a ${word} -d ${quoted(description)}`,
          ),
          ...options
            .filter(({ word }) => word.startsWith('--'))
            .map(
              ({ word, description }) =>
                `complete -c sammix ${when} -l ${word.slice(2)} -d ${quoted(description)}`,
            ),
        ];
      })
      .join('\n')}\n`,
};

const zshWord = ({ word, description }: Word): string =>
  quoted(`${word}:${description.replaceAll(':', '\\:')}`);

/** Commands that have commands of their own: `site evaluate` is not `evaluate`. */
const groupsOf = (all: readonly CommandWords[]): string[] =>
  all.flatMap(({ path, commands }) => (path[0] && commands.length > 0 ? [path[0]] : []));

/** Holds where the words of `path` were typed, and nothing that makes them mean something else. */
function fishCondition(
  path: readonly string[],
  commands: readonly Word[],
  groups: readonly string[],
): string {
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const others = [...(path.length === 1 ? groups.filter((name) => name !== path[0]) : [])];
  const unseen = [names(commands), ...others].filter((words) => words !== '');
  const notSeen = unseen.map((words) => `not __fish_seen_subcommand_from ${words}`);
  return [...seen, ...notSeen].join('; and ');
}
