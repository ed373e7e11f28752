package h2

import "encoding/binary"

// Preface is what a client sends first (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameHead  = 9     // bytes of a frame's header
	maxFrame   = 16384 // bytes of payload, both ways: SETTINGS_MAX_FRAME_SIZE stays at its default
	maxWindow  = 1<<31 - 1
	baseWindow = 65535 // what a window has before anybody says something else (RFC 9113 §6.9.2)
)

// MaxFrame is the most bytes of input, a frame with its header, that Feed leaves for the next call.
const MaxFrame = frameHead + maxFrame

type frameType uint8

const (
	typeData           frameType = 0x0
	typeHeaders        frameType = 0x1
	typePriority       frameType = 0x2
	typeReset          frameType = 0x3
	typeSettings       frameType = 0x4
	typePush           frameType = 0x5
	typePing           frameType = 0x6
	typeGoAway         frameType = 0x7
	typeWindow         frameType = 0x8
	typeContinuation   frameType = 0x9
	typePriorityUpdate frameType = 0x10
)

const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// A frame is a frame's header.
type frame struct {
	length int
	typ    frameType
	flags  uint8
	id     uint32
}

func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// readFrame reads the frame header at the start of b, which has frameHead bytes at least. The reserved bit is ignored.
func readFrame(b []byte) frame {
	_ = b[frameHead-1]
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		typ:    frameType(b[3]),
		flags:  b[4],
		id:     binary.BigEndian.Uint32(b[5:]) & maxWindow,
	}
}

func appendFrame(out []byte, length int, typ frameType, flags uint8, id uint32) []byte {
	return append(out, byte(length>>16), byte(length>>8), byte(length), byte(typ), flags,
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// putFrame writes a frame header over the start of b.
func putFrame(b []byte, length int, typ frameType, flags uint8, id uint32) {
	appendFrame(b[:0], length, typ, flags, id)
}

func appendReset(out []byte, id uint32, code Code) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(out, 4, typeReset, 0, id), uint32(code))
}

func appendGoAway(out []byte, last uint32, code Code) []byte {
	out = binary.BigEndian.AppendUint32(appendFrame(out, 8, typeGoAway, 0, 0), last)
	return binary.BigEndian.AppendUint32(out, uint32(code))
}

func appendWindow(out []byte, id uint32, n int64) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(out, 4, typeWindow, 0, id), uint32(n))
}

// unpad removes the pad length and the padding of a HEADERS payload (RFC 9113 §6.2).
func unpad(f frame, p []byte) ([]byte, *ConnError) {
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, connError(FrameSizeError, "padded frame without pad length")
	}
	pad := int(p[0])
	if p = p[1:]; pad > len(p) {
		return nil, connError(ProtocolError, "padding longer than the frame")
	}
	return p[:len(p)-pad], nil
}
