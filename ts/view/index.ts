export { MinMax } from './min-max.js'
export { Playback } from './playback.js'
export { View, type ViewOptions } from './view.js'
