// Drawings on a canvas that is as wide as the box around it: drawn again when their data, the width or the theme change. Each is told in
// words, too, and the line below it names the thing under the pointer.

import { useEffect, useRef, useState } from 'preact/hooks'

export interface Drawing {
  readonly pen: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  /** A colour of the theme, by its name in the styles. */
  readonly color: (name: string) => string
}

interface DrawnProps {
  readonly height: number
  /** Kept from one time to the next while it draws the same. */
  readonly draw: (drawing: Drawing) => void
  /** The drawing in a sentence, for those who do not see it. */
  readonly told: string
  /** The thing under the pointer, or how to find one. */
  readonly caption: string
  /** A point of the drawing, in pixels from its left upper corner, and the drawing's width; nothing when the pointer has left. */
  readonly onPoint: (at?: { readonly x: number; readonly y: number; readonly width: number }) => void
}

const widthMin = 320
const darkTheme = '(prefers-color-scheme: dark)'

export function Drawn({ height, draw, told, caption, onPoint }: DrawnProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(900)
  const [dark, setDark] = useState(matchMedia(darkTheme).matches)
  useEffect(() => {
    const box = canvas.current!.parentElement!
    const observer = new ResizeObserver(() => setWidth(Math.max(widthMin, box.clientWidth)))
    observer.observe(box)
    const theme = matchMedia(darkTheme)
    const turn = (): void => setDark(theme.matches)
    theme.addEventListener('change', turn)
    return () => {
      observer.disconnect()
      theme.removeEventListener('change', turn)
    }
  }, [])
  useEffect(() => begin(canvas.current!, width, height, draw), [draw, width, height, dark])
  const point = (event: PointerEvent): void => {
    const box = canvas.current!.getBoundingClientRect()
    onPoint({ x: event.clientX - box.left, y: event.clientY - box.top, width })
  }
  return (
    <div class="drawn">
      <canvas
        ref={canvas}
        role="img"
        style={{ width: `${width}px`, height: `${height}px` }}
        aria-label={told}
        onPointerMove={point}
        onPointerLeave={() => onPoint()}
      />
      <p class="dim" aria-hidden="true">
        {caption}
      </p>
    </div>
  )
}

function begin(canvas: HTMLCanvasElement, width: number, height: number, draw: DrawnProps['draw']): void {
  const style = getComputedStyle(canvas)
  const scale = devicePixelRatio || 1
  canvas.width = width * scale
  canvas.height = height * scale
  const pen = canvas.getContext('2d')!
  pen.scale(scale, scale)
  pen.font = `12px ${style.fontFamily}`
  draw({ pen, width, height, color: name => style.getPropertyValue(name) })
}
