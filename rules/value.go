package rules

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// Value is what a field has in one request. The zero Value is missing.
type Value struct {
	typ   Type
	keyed bool   // an array that is what a multimap has under the key str
	num   number // of Bool, Int, IP
	str   string // of Bytes, and the key of a keyed array
	raw   []byte // of Bytes, instead of str: in a Machine's arena
	items Items
}

// Items are the elements of an array or a map. The elements of a map of arrays are those of its arrays, all at one level, so
// that their keys may repeat. A pointer that implements Items makes a Value without allocating.
type Items interface {
	Len() int
	At(i int) Value
	// Under tells whether element i of a map is under a key, which header fields' names have in lower case.
	Under(i int, key string) bool
	// Key is the key of element i of a map, to be shown.
	Key(i int) string
}

// BoolValue returns a value of type Bool.
func BoolValue(b bool) Value {
	if b {
		return Value{typ: Bool, num: number{lo: 1}}
	}
	return Value{typ: Bool}
}

// IntValue returns a value of type Int.
func IntValue(n int64) Value { return Value{typ: Int, num: intNumber(n)} }

// BytesValue returns a value of type Bytes.
func BytesValue(s string) Value { return Value{typ: Bytes, str: s} }

// IPValue returns a value of type IP, missing if addr is not valid. An IPv4-mapped IPv6 address is the IPv4 address; a zone is
// ignored.
func IPValue(addr netip.Addr) Value {
	if !addr.IsValid() {
		return Value{}
	}
	return Value{typ: IP, num: ipNumber(addr)}
}

// ItemsValue returns a value of an array or map type, missing if items is nil.
func ItemsValue(t Type, items Items) Value {
	if items == nil {
		return Value{}
	}
	return Value{typ: t, items: items}
}

// rawValue returns a value of type Bytes that is in an arena.
func rawValue(b []byte) Value { return Value{typ: Bytes, raw: b} }

// Missing tells whether there is no value.
func (v *Value) Missing() bool { return v.typ == 0 }

// Type returns the value's type, 0 if it is missing.
func (v *Value) Type() Type { return v.typ }

// Bool returns a value of type Bool.
func (v *Value) Bool() bool { return v.typ == Bool && v.num.lo == 1 }

// Int returns a value of type Int.
func (v *Value) Int() int64 { return v.num.int() }

// IP returns a value of type IP.
func (v *Value) IP() netip.Addr { return v.num.addr() }

// Append appends a value of type Bytes to b.
func (v *Value) Append(b []byte) []byte {
	if v.raw != nil {
		return append(b, v.raw...)
	}
	return append(b, v.str...)
}

// size is the length of a value of type Bytes.
func (v *Value) size() int { return len(v.raw) + len(v.str) }

// shown is how many elements and bytes String shows.
const shown, shownBytes = 16, 256

// String is the value as it would stand in an expression, shortened if it is long; "missing" if it is.
func (v Value) String() string {
	switch v.typ.kind() {
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case IP:
		return v.IP().String()
	case Bytes:
		text := string(v.Append(nil))
		if len(text) > shownBytes {
			return quote(text[:shownBytes]) + "… (" + strconv.Itoa(len(text)) + " bytes)"
		}
		return quote(text)
	case array, mapping:
		return v.list()
	}
	return "missing"
}

func (v Value) list() string {
	open, end := "[", "]"
	if v.typ.isMap() {
		open, end = "{", "}"
	}
	var b strings.Builder
	n := 0
	for i := range v.items.Len() {
		if !v.has(i) {
			continue
		}
		if n++; n > shown {
			continue
		}
		if n > 1 {
			b.WriteString(", ")
		}
		if v.typ.isMap() {
			b.WriteString(quote(v.items.Key(i)) + ": ")
		}
		b.WriteString(v.items.At(i).String())
	}
	if n > shown {
		b.WriteString(", … (" + strconv.Itoa(n) + ")")
	}
	return open + b.String() + end
}

// has tells whether item i belongs to the value.
func (v *Value) has(i int) bool { return !v.keyed || v.items.Under(i, v.str) }

// count returns the number of a list's elements; of a multimap, of its arrays'.
func (v *Value) count() int {
	if !v.keyed {
		return v.items.Len()
	}
	n := 0
	for i := range v.items.Len() {
		if v.has(i) {
			n++
		}
	}
	return n
}

// at returns element n of an array, missing if it has fewer.
func (v *Value) at(n int) Value {
	if !v.keyed {
		if n >= v.items.Len() {
			return Value{}
		}
		return v.items.At(n)
	}
	for i := range v.items.Len() {
		if v.has(i) {
			if n == 0 {
				return v.items.At(i)
			}
			n--
		}
	}
	return Value{}
}

// under returns what a map has under a key.
func (v *Value) under(key string) Value {
	for i := range v.items.Len() {
		if !v.items.Under(i, key) {
			continue
		}
		if v.typ.isMultimap() {
			return Value{typ: v.typ.Elem(), keyed: true, str: key, items: v.items}
		}
		return v.items.At(i)
	}
	return Value{}
}

// same tells whether two scalar values of one type are equal.
func (v *Value) same(w *Value) bool {
	if v.typ != w.typ || v.typ != Bytes {
		return v.typ == w.typ && v.num == w.num
	}
	switch {
	case v.raw != nil && w.raw != nil:
		return string(v.raw) == string(w.raw)
	case v.raw != nil:
		return string(v.raw) == w.str
	case w.raw != nil:
		return v.str == string(w.raw)
	}
	return v.str == w.str
}

// A number is an Int or an IP in an order that unsigned comparison keeps. Integers are moved so that the lowest is 0; IPv4
// addresses lie where IPv6 has its mapped ones.
type number struct{ hi, lo uint64 }

const (
	signBit   = 1 << 63
	mapped    = 0xffff << 32 // what stands before the 32 bits of an IPv4-mapped address
	mappedEnd = mapped | 0xffffffff
)

func intNumber(n int64) number { return number{lo: uint64(n) ^ signBit} }

func (n number) int() int64 { return int64(n.lo ^ signBit) }

func ipNumber(addr netip.Addr) number {
	b := addr.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (n number) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	return netip.AddrFrom16(b).Unmap()
}

// is4 tells whether the number is an IPv4 address.
func (n number) is4() bool { return n.hi == 0 && n.lo&^0xffffffff == mapped }

func (n number) less(m number) bool { return n.hi < m.hi || n.hi == m.hi && n.lo < m.lo }

// compare is cmp.Compare of numbers.
func (n number) compare(m number) int {
	switch {
	case n.less(m):
		return -1
	case m.less(n):
		return 1
	}
	return 0
}

// next returns n + 1, which wraps.
func (n number) next() number {
	n.lo++
	if n.lo == 0 {
		n.hi++
	}
	return n
}

// mask keeps the first bits of the number.
func (n number) mask(bits int) number {
	if bits <= 64 {
		return number{hi: n.hi &^ (^uint64(0) >> bits)}
	}
	return number{n.hi, n.lo &^ (^uint64(0) >> (bits - 64))}
}

// fill sets all but the first bits of the number.
func (n number) fill(bits int) number {
	if bits <= 64 {
		return number{n.hi | ^uint64(0)>>bits, ^uint64(0)}
	}
	return number{n.hi, n.lo | ^uint64(0)>>(bits-64)}
}
