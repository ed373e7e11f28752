// Package rules is the language in which Cloudflare's rules are written: filter expressions, which say for which requests a rule
// holds, and value expressions, which compute what a rewrite puts in. docs/rules.md lists what is supported, and how it reads
// where Cloudflare's documentation is silent.
//
// A host declares its fields in a [Scheme] and answers for them with a [Source], field by field and only when asked. [Compile]
// turns text into a [Filter], [CompileValue] into a [Rewrite]; a [Set] is many filters, judged in order, that share what they have in
// common. A [Machine] is the scratch of one request after another.
//
//	scheme, err := rules.NewScheme([]rules.Field{{Name: "http.host", Type: rules.Bytes}}, nil)
//	filter, err := rules.Compile(scheme, `http.host eq "example.com"`)
//	m := rules.NewMachine(scheme)
//	m.Reset(source)
//	filter.Match(m)
//
// # Bounds
//
// An expression has at most [MaxLength] bytes, [MaxDepth] levels and [MaxLiterals] literals, a regular expression [MaxRegexp]
// bytes and [MaxProgram] instructions. Matching is linear in what is matched: regular expressions are RE2's, wildcards and JSON are
// read once, and a Set reads a value once for all its literals. A Machine asks for each field at most once a request. What
// functions make goes into its arena, of at most [MaxArena] bytes; a result that has no room is missing, and [Machine.Exceeded]
// says so. Once its arena has grown, matching allocates nothing.
//
// # Failure
//
// Whatever is wrong with an expression is said when it is compiled, by an [Error] with line and column. Matching can't fail: what
// a request has not is missing, a comparison with what is missing is false, and so is a filter that is missing as a whole.
//
// Schemes, filters, rewrites and sets are immutable and may be used by many goroutines at once; a Machine belongs to one.
package rules

// Bounds of expressions and of matching.
const (
	MaxLength   = 64 << 10 // bytes of an expression; Cloudflare has 4096
	MaxDepth    = 64       // levels of parentheses, not, calls and indexes
	MaxLiterals = 8192     // literals of an expression: longer lists want names
	MaxRegexp   = 4096     // bytes of a regular expression
	MaxProgram  = 2000     // its instructions
	MaxArena    = 1 << 20  // bytes that functions make of one request's values at one time
)
