// Editor of SQL: a text area under which its text lies in colours, with completion at the caret. Ctrl+Enter runs, Ctrl+Space completes, Tab
// takes a suggestion while there are some, and else goes on to the next control.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { visible } from '../format.ts'
import { accepted, piecesOf, placeAt, type SqlPlace, type Suggestion } from '../sqltext.ts'

interface EditorProps {
  readonly text: string
  readonly change: (text: string) => void
  readonly run: () => void
  readonly suggest: (place: SqlPlace, text: string) => Promise<readonly Suggestion[]>
}

interface Offer {
  readonly place: SqlPlace
  readonly list: readonly Suggestion[]
  readonly at: number
}

const [linesMin, linesMax] = [6, 24]

/** Suggestions at the caret of the text area, and the keys that choose among them. */
function useOffers({ text, change, suggest }: EditorProps) {
  const area = useRef<HTMLTextAreaElement>(null)
  const caretAfter = useRef<number | undefined>(undefined)
  const asked = useRef(0)
  const [offer, setOffer] = useState<Offer | undefined>(undefined)
  useEffect(() => {
    if (caretAfter.current === undefined || !area.current) return
    area.current.setSelectionRange(caretAfter.current, caretAfter.current)
    caretAfter.current = undefined
  }, [text])
  const close = (): void => {
    asked.current++
    setOffer(undefined)
  }
  const look = async (value: string, caret: number, wanted: boolean): Promise<void> => {
    const round = ++asked.current
    const place = placeAt(value, caret)
    const isShort = place !== undefined && place.kind === 'word' && place.word.length < 2
    if (!place || (isShort && !wanted)) return setOffer(undefined)
    const list = await suggest(place, value).catch(() => [])
    if (round === asked.current) setOffer(list.length === 0 ? undefined : { place, list, at: 0 })
  }
  const take = (chosen: Suggestion): void => {
    const { place } = offer!
    const done = accepted(text, area.current!.selectionStart, place.from, chosen.text)
    caretAfter.current = done.caret
    change(done.text)
    close()
    area.current!.focus()
    // The names below a directory that was taken.
    if (place.kind === 'path' && chosen.text.endsWith('/')) void look(done.text, done.caret, true)
  }
  /** True: the key was for the suggestions. */
  const choose = (name: string): boolean => {
    if (!offer) return false
    const step = { ArrowDown: 1, ArrowUp: -1 }[name]
    if (step !== undefined) setOffer({ ...offer, at: (offer.at + step + offer.list.length) % offer.list.length })
    else if (name === 'Enter' || name === 'Tab') take(offer.list[offer.at]!)
    else if (name === 'Escape') close()
    else return false
    return true
  }
  return { area, offer, look, take, choose, close }
}

export function Editor(props: EditorProps) {
  const { text, change, run } = props
  const { area, offer, look, take, choose, close } = useOffers(props)
  const back = useRef<HTMLPreElement>(null)
  const pieces = useMemo(() => piecesOf(text), [text])
  const lines = Math.min(linesMax, Math.max(linesMin, text.split('\n').length + 1))
  const key = (event: KeyboardEvent): void => {
    const isCommand = event.ctrlKey || event.metaKey
    if (isCommand && event.key === 'Enter') {
      close()
      run()
    } else if (isCommand && event.key === ' ') void look(text, area.current!.selectionStart, true)
    else if (!choose(event.key)) return
    event.preventDefault()
  }
  return (
    <div class="editor">
      <pre ref={back} class="editor-text" aria-hidden="true">
        {pieces.map(({ kind, text: own }, i) => (kind === 'plain' ? own : <span key={i} class={`sql-${kind}`}>{own}</span>))}
        {'\n'}
      </pre>
      <textarea
        ref={area}
        class="editor-text"
        aria-label="Query in SQL"
        aria-describedby="editor-keys"
        aria-autocomplete="list"
        aria-controls={offer ? 'editor-offer' : undefined}
        aria-activedescendant={offer ? `editor-offer-${offer.at}` : undefined}
        rows={lines}
        value={text}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        wrap="off"
        onInput={event => {
          const { value, selectionStart } = event.currentTarget
          change(value)
          void look(value, selectionStart, false)
        }}
        onKeyDown={key}
        onBlur={close}
        onScroll={event => {
          back.current!.scrollTop = event.currentTarget.scrollTop
          back.current!.scrollLeft = event.currentTarget.scrollLeft
        }}
      />
      {offer && <Offers offer={offer} text={text} area={area.current!} take={take} />}
      <p class="dim editor-keys" id="editor-keys">
        Ctrl+Enter runs the query; Ctrl+Space completes.
      </p>
    </div>
  )
}

interface OffersProps {
  readonly offer: Offer
  readonly text: string
  readonly area: HTMLTextAreaElement
  readonly take: (chosen: Suggestion) => void
}

/** Beneath the place where the word begins. */
function Offers({ offer: { place, list, at }, text, area, take }: OffersProps) {
  const chosen = useRef<HTMLLIElement>(null)
  useEffect(() => chosen.current?.scrollIntoView({ block: 'nearest' }), [at])
  const before = text.slice(0, place.from).split('\n')
  const style = {
    left: `min(calc(${before.at(-1)!.length}ch + 14px - ${area.scrollLeft}px), calc(100% - 240px))`,
    top: `calc(${before.length} * 1.5em + 14px - ${area.scrollTop}px)`,
  }
  return (
    <ul id="editor-offer" class="offers" role="listbox" aria-label="Suggestions" style={style}>
      {list.map((each, i) => (
        <li
          key={each.text}
          id={`editor-offer-${i}`}
          {...(i === at && { ref: chosen })}
          role="option"
          aria-selected={i === at}
          onPointerDown={event => {
            event.preventDefault()
            take(each)
          }}
        >
          <span>{visible(each.text)}</span> <span class="dim">{visible(each.note)}</span>
        </li>
      ))}
    </ul>
  )
}
