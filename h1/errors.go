package h1

// An Error says why a message was refused. Every error of this package is an *Error and a static value.
type Error struct {
	Status int    // to answer with: 400, 414, 431, 501 or 505 for a request, 502 for a response
	Reason string // a short lower-case phrase, such as "bare line feed"
}

func (e *Error) Error() string { return e.Reason }

// Foreign tells whether what was refused does not even name HTTP: an answer would not be understood.
func (e *Error) Foreign() bool { return e == &errForeign.request }

// A refusal is one reason to refuse a message, as the error of a request and as that of a response.
type refusal struct{ request, response Error }

func refuse(status int, reason string) *refusal {
	return &refusal{request: Error{status, reason}, response: Error{502, reason}}
}

// The reasons, in the order in which a message is read.
var (
	errLineLong   = refuse(414, "first line too long")
	errHeadLong   = refuse(431, "head too long")
	errFields     = refuse(431, "too many fields")
	errIncomplete = refuse(400, "incomplete head")
	errAfterHead  = refuse(400, "bytes after the head")
	errEmptyLine  = refuse(400, "empty first line")
	errBareLF     = refuse(400, "bare line feed")
	errBareCR     = refuse(400, "bare carriage return")

	errMethod      = refuse(400, "bad method")
	errMethodLong  = refuse(501, "method too long")
	errTarget      = refuse(400, "bad character in target")
	errFragment    = refuse(400, "fragment in target")
	errForm        = refuse(400, "bad target form")
	errScheme      = refuse(400, "bad scheme in target")
	errVersion     = refuse(400, "bad version")
	errForeign     = refuse(400, "not http")
	errVersionNone = refuse(400, "missing version")
	errVersionNew  = refuse(505, "unsupported version")
	errStatusLine  = refuse(502, "bad status line")

	errLeadingSpace = refuse(400, "space before the first field")
	errFold         = refuse(400, "folded field line")
	errName         = refuse(400, "bad field name")
	errColonSpace   = refuse(400, "space before colon")
	errValue        = refuse(400, "control character in field value")

	errHostNone     = refuse(400, "missing host")
	errHostMany     = refuse(400, "several hosts")
	errHost         = refuse(400, "bad host")
	errHostDiffers  = refuse(400, "target and host disagree")
	errLength       = refuse(400, "bad content-length")
	errLengthMany   = refuse(400, "several content-lengths")
	errLengthAndTE  = refuse(400, "content-length with transfer-encoding")
	errTE           = refuse(501, "unsupported transfer-encoding")
	errTE10         = refuse(400, "transfer-encoding in http/1.0")
	errImitation    = refuse(400, "field name imitates a length")
	errConnectBody  = refuse(400, "content in connect")
	errUpgradeMany  = refuse(400, "several upgrades")
	errChunkSize    = refuse(400, "bad chunk size")
	errChunkLong    = refuse(400, "chunk size line too long")
	errChunkExt     = refuse(400, "chunk extension")
	errChunkEnd     = refuse(400, "chunk data not followed by line end")
	errTrailerLong  = refuse(431, "trailer section too long")
	errTrailerField = refuse(400, "forbidden trailer field")
)
