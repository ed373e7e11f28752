package flow

import (
	"io"
	"time"

	"github.com/seawall/seawall/loop"
)

// Exchange is one request and its response as a protocol carries them. All methods but the constructors of a head wait for the
// client where they must (backpressure), so they belong to a flow that may wait; within Decide a response that is in memory
// may be written too: the connection's driver sends it when the flow is decided.
type Exchange interface {
	// ReadBody reads the request's body. The first call tells a client that expects it to go on (100). It returns [io.EOF] at the
	// end, [io.ErrUnexpectedEOF] when the client broke off.
	ReadBody(p []byte) (int, error)
	// Arrived tells whether the rest of the body is here, so that reading it takes no wait.
	Arrived() bool
	// Trailers are the request's, once ReadBody has returned [io.EOF].
	Trailers() []Field
	// WriteInfo sends an interim response, 1xx but not 101.
	WriteInfo(status int, fields []Field) error
	// WriteHead begins the final response. fields are written as they are, framing is added: length is the body's in bytes or
	// -1 where it is unknown.
	WriteHead(status int, fields []Field, length int64) error
	// WriteBody sends a piece of the body. last tells that nothing follows but Finish, so that both can share one write; p
	// must then stay untouched until Finish returns. Within Decide p has to be immutable
	// if it is longer than [CopiedBody]; shorter pieces are copied.
	WriteBody(p []byte, last bool) error
	// WriteLent is WriteBody for a last piece in memory that is lent. The exchange gives it back, whatever comes.
	WriteLent(p []byte, loan Loan) error
	// Finish ends the response and, where the framing can carry them, adds trailers.
	Finish(trailers []Field) error
	// Hijack ends HTTP on this connection after a 101 head was written and hands over its bytes.
	Hijack() (Stream, error)
}

// FileWriter is an [Exchange] that may be able to have the kernel send a part of a file.
type FileWriter interface {
	Exchange
	// SendsFiles tells whether it is, for the flow that is being decided.
	SendsFiles() bool
	// WriteFile is WriteLent for a part of a file, which stays open until it is given back.
	WriteFile(part FilePart, loan Loan) error
}

// File is an open file whose content does not change.
type File interface {
	FD() int
	// Cached tells whether the page cache has a part, so that who sends it need not wait for a disk.
	Cached(offset, length int64) bool
}

// FilePart is a part of a file; that of no length is none.
type FilePart struct {
	File           File
	Offset, Length int64
}

// Stream is a connection's bytes both ways, waiting where it must. The connection enforces its own deadlines.
type Stream interface {
	// Buffered is what has arrived and not been discarded; Discard uses up the first n bytes of it.
	Buffered() []byte
	Discard(n int)
	// Fill waits until more has arrived and adds it to Buffered, within the bounds of the connection's buffer.
	Fill() error
	// Read takes what is buffered first.
	io.Reader
	// Write sends head, then tail, both whole, in one system call where it can; either may be empty.
	Write(head, tail []byte) error
	// CloseWrite tells the peer that nothing more will come.
	CloseWrite() error
	// Abort tells when the peer is gone.
	Abort() *Abort
	// Task is what Fulfil waits in; see [Flow.Task].
	Task() *loop.Task
	// Tunnel tells the connection that it carries another protocol from now on, with that protocol's patience.
	Tunnel()
	// Draining tells that the node is stopping: finish what is begun and begin nothing.
	Draining() bool
}

// Connection is what a session is given: the stream of its connection and, for a protocol that carries many exchanges side by side
// (HTTP/2), the means to have each wait by itself, between turns. Such a session leaves nothing to [Session.Fulfil].
type Connection interface {
	Stream
	// Start begins work that may wait. It is called within Turn.
	Start(work loop.Runner)
	// Wake lets Turn be called soon, although nothing may have arrived. Anyone may call it who does not hold what Turn waits for.
	Wake()
	// Charge takes n off what the client's source may do that costs a server more than its client, and reports false if that is used up.
	Charge(n int) bool
	// Judged tells that a request of the client's was refused by its verdict, or not. It reports false for a client all of whose requests
	// are, again and again, while the node has to refuse so many that it minds.
	Judged(refused bool) bool
	// Breach tells that the client broke a bound that honest clients keep: it is written down, and for a while its source can't connect.
	Breach(reason string)
	// Fault tells of a panic in work.
	Fault(value any)
}

// Hopeless is what a client has done that [Connection.Judged] is false for.
const Hopeless = "went on asking although everything was refused"

// Loan is memory that is lent for one answer, and used again for others.
type Loan interface {
	// Return gives the memory back. It is called once, when nothing reads it any more, by anyone, and does not wait.
	Return()
}

// Output gathers what a session answers within one turn: Head is copied bytes, after it Tail is one large piece by reference, or File a part of
// a file.
type Output struct {
	Head, Tail []byte
	File       FilePart
	// Loan is where Tail or File has to be given back, or nil.
	Loan Loan
}

// Len is how much is to be sent.
func (o *Output) Len() int { return len(o.Head) + len(o.Tail) + int(o.File.Length) }

// Referred is how much of that is by reference.
func (o *Output) Referred() int { return o.Len() - len(o.Head) }

// Join copies Tail behind Head.
func (o *Output) Join() {
	o.Head = append(o.Head, o.Tail...)
	o.drop()
}

// Reset empties the output, which has been sent or will not be; Head's memory is kept.
func (o *Output) Reset() {
	o.Head = o.Head[:0]
	o.drop()
}

func (o *Output) drop() {
	o.Tail, o.File = nil, FilePart{}
	if loan := o.Loan; loan != nil {
		o.Loan = nil
		loan.Return()
	}
}

// Next is what a session wants from its driver after a turn.
type Next uint8

// More waits for input, between two requests or within a head; Serve waits for input, too, while requests are at work: the session minds
// their time, and has a turn each second. Flush waits for the output to be sent and then for another turn, Yield for one after others' turns,
// before which the output need not be sent; Wait waits for [Session.Fulfil], Close for the end; Linger closes too, but lets the client read its answer although it is still sending; Reset closes so that the client
// can't take what it has got for the whole.
const (
	More Next = iota
	Serve
	Flush
	Yield
	Wait
	Close
	Linger
	Reset
)

// Ends tells whether the connection is over.
func (n Next) Ends() bool { return n >= Close }

// CopiedBody is how many bytes of a piece an [Exchange] copies at least, so that the caller may use its memory again.
const CopiedBody = 4 << 10

// Session is a protocol on one connection, as conn drives it.
type Session interface {
	// Turn is given what has arrived and not been used yet. It answers into out what can be answered at once, never waits, and
	// returns how much of in it has used.
	Turn(in []byte, out *Output, now time.Time) (used int, next Next)
	// Fulfil does the waiting work that Turn left with Wait, through the session's Stream.
	Fulfil(out *Output) Next
	// Timeout says the last words on a connection whose time is over. In is what has arrived of a head; only if there is some, or the
	// protocol has a word for it, are there any: see Parts.
	Timeout(in []byte, out *Output, now time.Time)
	// Parts tells whether the protocol takes its leave also from who has asked for nothing.
	Parts() bool
	// End gives back what the session holds; its connection is over.
	End()
}

// Message is a response on its way to the client, from whichever room has it.
type Message struct {
	Status int
	Fields []Field
	// Length is the body's in bytes, -1 if unknown.
	Length int64
	// Body is the whole body where that is in memory and immutable; otherwise Stream yields it.
	Body   []byte
	Stream Body
	// File has the body in place of both, for an exchange that sends files.
	File FilePart
	// Loan is where Body or File has to be given back once it has been sent, or nil: then Body is the message's for good.
	Loan Loan
}

// Repay gives a body back that was lent, and has not been handed on.
func (m *Message) Repay() {
	if loan := m.Loan; loan != nil {
		m.Body, m.File, m.Loan = nil, FilePart{}, nil
		loan.Return()
	}
}

// Body yields a message's body piece by piece.
type Body interface {
	// Next returns the next piece, valid until the next call; with the last piece, or after it, it returns [io.EOF].
	Next() ([]byte, error)
	// Trailers are the message's, after [io.EOF].
	Trailers() []Field
	// Close gives the source back; before [io.EOF] it cancels.
	Close()
}

// Parted is a [Body] of which a part can be had: where the whole of a message lies elsewhere than in memory, yet at hand.
type Parted interface {
	Body
	// Part makes it that of length bytes from start on; both lie within the message's Length. It is called before the first Next.
	Part(start, length int64)
}
