package wire

import (
	"encoding/binary"
	"fmt"
)

// preface begins a client's connection of HTTP/2 (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameHead = 9       // bytes before a frame's payload
	maxFrame  = 1 << 14 // bytes of a payload, either way
)

// frameType is that of RFC 9113 §6.
type frameType uint8

const (
	dataFrame frameType = iota
	headersFrame
	priorityFrame
	resetFrame
	settingsFrame
	pushFrame
	pingFrame
	goAwayFrame
	windowFrame
	continuationFrame
)

// Flags, whose meaning depends on the type.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings that a server's SETTINGS may have (RFC 9113 §6.5.2).
const (
	settingTableSize     = 1
	settingMaxStreams    = 3
	settingInitialWindow = 4
	settingMaxFrame      = 5
)

// code is an error code (RFC 9113 §7).
type code uint32

const (
	codeNone          code = 0
	codeProtocol      code = 1
	codeRefusedStream code = 7
	codeCancel        code = 8
	codeCalm          code = 11
)

// frame is one of HTTP/2.
type frame struct {
	typ     frameType
	flags   uint8
	id      uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrameHead returns the frame that a head begins, without its payload, and how long that is.
func parseFrameHead(b []byte) (frame, int) {
	length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	return frame{typ: frameType(b[3]), flags: b[4], id: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1)}, length
}

// unpad returns the payload without padding and, of HEADERS, the priority before it.
func (f *frame) unpad() ([]byte, error) {
	p := f.payload
	padding := 0
	if f.has(flagPadded) {
		if len(p) == 0 {
			return nil, fmt.Errorf("%w: padded frame without a length", ErrMalformed)
		}
		padding, p = int(p[0]), p[1:]
	}
	if f.typ == headersFrame && f.has(flagPriority) {
		if len(p) < 5 {
			return nil, fmt.Errorf("%w: HEADERS of %d bytes with a priority", ErrMalformed, len(p))
		}
		p = p[5:]
	}
	if padding > len(p) {
		return nil, fmt.Errorf("%w: padding of %d bytes in %d", ErrMalformed, padding, len(p))
	}
	return p[:len(p)-padding], nil
}

func appendFrameHead(out []byte, length int, typ frameType, flags uint8, id uint32) []byte {
	out = append(out, byte(length>>16), byte(length>>8), byte(length), byte(typ), flags)
	return binary.BigEndian.AppendUint32(out, id)
}

// appendWord appends a frame of four bytes: RST_STREAM or WINDOW_UPDATE.
func appendWord(out []byte, typ frameType, id, word uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrameHead(out, 4, typ, 0, id), word)
}

func appendGoAway(out []byte, c code) []byte {
	out = binary.BigEndian.AppendUint32(appendFrameHead(out, 8, goAwayFrame, 0, 0), 0) // no stream of the server's was taken
	return binary.BigEndian.AppendUint32(out, uint32(c))
}

// appendPreface appends how a software begins.
func appendPreface(out []byte, h *HTTP2) []byte {
	out = appendFrameHead(append(out, preface...), 6*len(h.Settings), settingsFrame, 0, 0)
	for _, s := range h.Settings {
		out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(out, s.ID), s.Value)
	}
	if h.Window > 0 {
		out = appendWord(out, windowFrame, 0, h.Window)
	}
	return out
}

// appendHeaders appends a field block in HEADERS, with a priority if prior says so, and as many CONTINUATION as it needs.
func appendHeaders(out, block []byte, id uint32, p Priority, prior, end bool) []byte {
	flags := uint8(0)
	if end {
		flags = flagEndStream
	}
	room := maxFrame
	var first []byte
	if prior {
		depends := p.Depends
		if p.Exclusive {
			depends |= 1 << 31
		}
		first = append(binary.BigEndian.AppendUint32(nil, depends), p.Weight)
		flags |= flagPriority
		room -= len(first)
	}
	typ := headersFrame
	for {
		n := min(len(block), room)
		if n == len(block) {
			flags |= flagEndHeaders
		}
		out = appendFrameHead(out, len(first)+n, typ, flags, id)
		out = append(append(out, first...), block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return out
		}
		typ, flags, first, room = continuationFrame, 0, nil, maxFrame
	}
}
