export { MinMax } from './min-max.js'
export { View, type ViewOptions } from './view.js'
