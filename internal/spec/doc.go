// Package spec says what an operator wants: a [Node] that listens and the [Zone]s it protects, in plain values.
//
// It knows the house's defaults and what is valid, and nothing of how a wish is carried out: rooms compile these values into
// policies. Every default is a named constant or stands in [DefaultNode] and [DefaultZone], so that documentation, validation
// and behaviour have one source. Values are never changed once they are handed to a room.
package spec
