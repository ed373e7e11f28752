// Package contrast finds the conjunctions of features that an excess has and a baseline has not: of packets in a flood, "flags = 2
// and window = 1024 and options = 2", which ordinary traffic hardly ever matches. It knows nothing of packets or requests: a
// sample is a fixed number of values (Schema), and a weight for how many it stands for.
//
// A Baseline remembers ordinary traffic, a Window holds what comes now, and a Finder says what the one has more of than the
// other: an ordered list, of which each conjunction covers a share of the excess, with the share of ordinary traffic that it
// would match, and the upper confidence bound of that. What is over the bound, or depends on few samples or weak features
// alone, is told apart as refused: one may meter it instead.
//
// # Method
//
// It is contrast set mining (Bay and Pazzani, 2001; emerging patterns: Dong and Li, 1999) by subgroup discovery with sequential
// covering (CN2-SD: Lavrač and others, 2004), made for adversaries and milliseconds:
//
//  1. The window is thinned to what shows the smallest excess that counts, 3,200 samples for 2 %; windows and baselines are
//     sorted by every feature, so that any value, list or range is a run, and its samples a bitset.
//  2. Items are proposed by surplus over the baseline: values, lists of values, and ranges (the discrepancy of Kuiper's test).
//  3. A beam search joins them, by FOIL's information (Quinlan, 1990), until a part of the window has hardly a hit in the
//     baseline. If there is no such part, it looks once more at what came closest, with items that tell just that from its hits.
//  4. That part is closed: all that its samples have in common (closed patterns: Pasquier and others, 1999), of which the terms
//     are kept that exclude the most of the baseline. So a conjunction is as narrow as the attack is uniform, not as wide as
//     the bound allows. A part with little in common is divided; terms that only split the attack are dropped.
//  5. What it matches is taken out of the window, and the search begins again.
//
// The baseline is samples, not statistics of them: only samples can say how often any conjunction is met, and their number bounds
// memory whatever values an attacker invents. Half of them the search sees, the other half is the proof. n samples without a
// match prove a share below 3/n. The bound is on all that one Find returns together; who keeps what was found before asks Profile.False
// for both. Many Finds against one profile are many tries: with no match allowed in either half, the worst of 10,000 that are unlike each other has
// a share of some ln(10,000)/65,536, 0.014 %.
//
// Turned down: FP-Growth and Apriori, as the filters of DE-CIX (IXP Scrubber, 2022), MacroBase (2017) and Brauckhoff's anomaly
// extraction (2009) use them: they list all that is frequent, of which nearly everything is redundant, and their time and memory
// are the attacker's choice. Fixed permutations of header fields, counted by sketches (Cloudflare's dosd): quick on the path
// itself, but they see neither lists nor ranges, and judge harm by thresholds and not by what is ordinary here. Naive Bayes over
// single features (PacketScore, 2004): an attacker who copies each feature from ordinary traffic but not their combination is
// invisible to it. Searches for an optimal list of rules (CORELS, 2017): exact, and exponential.
//
// # Adversaries
//
// Who makes visitors' values abundant gets none of them refused: the bound is on the share of ordinary traffic, however great the
// excess. Who randomises fields, or copies some, is found by the rest. Who sends a little of his flood for hours makes it
// ordinary; it is refused then, with its share of old, by which it may be metered. A flood that is learnt before it is noticed has
// the share of its time, not of its volume, and Discard takes it back.
//
// The proof takes samples for independent. Those of one connection are not: feed it one in many packets, of all connections, and
// mark as weak what one connection has to itself. It counts what the weights count: if all packets of a kind matter more than
// their number (the first of each visitor), give them more weight, or a baseline of their own.
//
// What is new is an excess, too, be it a browser's new version: ask when there is harm, or look at Result.Times.
//
// # Bounds
//
// Measured on one core of the machine that design.md describes, 20,000 samples of 24 features against a full baseline: 2 ms if
// there is nothing, 3 for one attack, 4 for three, 22 for thirty-one at once. A search ends after Options.Found conjunctions
// and four in vain, each divides a part at most 4 times, and nothing is more than linear in the samples: sorting is by radix.
// A Finder allocates only what it returns and keeps some 2 MB, a Window 20 bytes a sample and 4 a feature. A Baseline of 65,536
// rows of 24 features takes 9 MB and its Profile 14; to compile that, once a slot, takes 60 ms.
//
// # Failure
//
// Schemas and options that make no sense get an error. A baseline that knows too little refuses everything as TooUnproven. The
// same seeds and samples give the same result.
package contrast
