package conn

import (
	"errors"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// A client whose certificate is refused is told so by an alert. Over TLS 1.3 its handshake is over by then, and it has sent its first
// request: closing the connection with that unread would reset it, and the client would find no alert, only the reset. So the connection
// lingers, as one does with its last answer to read, yet so little that it is of no use in an attack: on a loop it holds no buffer, it counts
// among its source's, and only a client that took part in the handshake has it.
const (
	tellFor   = time.Second
	tellBytes = 64 << 10
	// tellMost bounds how many do at one time. Past it, a connection is closed at once.
	tellMost = 1024
)

// tells gives a connection whose handshake ended so a place among those that linger, which is to be given back.
func (r *Room) tells(err error) bool {
	if _, ok := errors.AsType[*flow.Told](err); !ok {
		return false
	}
	if r.telling.Add(1) > tellMost {
		r.telling.Add(-1)
		return false
	}
	return true
}

// tell lingers after a handshake that ended so, on a goroutine.
func (c *Conn) tell(err error) {
	if c.phase() == expired || !c.room.tells(err) {
		return
	}
	defer c.room.telling.Add(-1)
	c.enter(told, c.now())
	c.t.allow(tellFor)
	c.hearOut(make([]byte, 4<<10), tellBytes)
}
