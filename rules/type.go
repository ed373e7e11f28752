package rules

// Type is the type of a value, of which arrays and maps have elements.
type Type uint32

// The types that are not made of others.
const (
	Bool Type = iota + 1
	Int
	Bytes // what Cloudflare calls String, too: any bytes
	IP

	array // of the type that the bits above say
	mapping
)

// typeBits are those that say what a type is; the bits above are its elements' type.
const typeBits = 3

// ArrayOf returns the type of arrays of t.
func ArrayOf(t Type) Type { return t<<typeBits | array }

// MapOf returns the type of maps from Bytes to t.
func MapOf(t Type) Type { return t<<typeBits | mapping }

// Elem returns the type of an array's or a map's elements, 0 for other types.
func (t Type) Elem() Type { return t >> typeBits }

func (t Type) kind() Type { return t & (1<<typeBits - 1) }

func (t Type) isArray() bool { return t.kind() == array }
func (t Type) isMap() bool   { return t.kind() == mapping }

// isMultimap tells maps whose keys have several values.
func (t Type) isMultimap() bool { return t.isMap() && t.Elem().isArray() }

// valid tells whether t can be a field's: MapOf and ArrayOf make what has no meaning of 0, and overflow at ten levels.
func (t Type) valid() bool {
	switch t.kind() {
	case array, mapping:
		return t.Elem().valid()
	}
	return t >= Bool && t <= IP
}

// String is the type as Cloudflare's documentation writes it.
func (t Type) String() string {
	switch t.kind() {
	case Bool:
		return "Boolean"
	case Int:
		return "Integer"
	case Bytes:
		return "String"
	case IP:
		return "IP address"
	case array:
		return "Array<" + t.Elem().String() + ">"
	case mapping:
		return "Map<" + t.Elem().String() + ">"
	}
	return "nothing"
}

// Phase is the part of a request's life in which a field becomes known.
type Phase uint8

// The phases, in their order.
const (
	Head     Phase = iota // when the request's head has been read
	Body                  // when its body has been
	Response              // when there is a response's head
)

// String is the phase's name in lower case.
func (p Phase) String() string {
	switch p {
	case Head:
		return "head"
	case Body:
		return "body"
	case Response:
		return "response"
	}
	return "unknown"
}
