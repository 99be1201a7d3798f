package pbconv

import (
	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// SourceToProto converts a file to analyse; id is the caller's number for it.
func SourceToProto(id uint64, s syntax.Source) *parserv1.AnalyzeFilesRequest {
	out := &parserv1.AnalyzeFilesRequest{Id: id, File: FileToProto(s)}
	if s.Chunk {
		out.Chunk = &parserv1.ChunkLimits{MaxTokens: clampUint32(s.ChunkTokens)}
	}
	return out
}

// SourceFromProto converts a file to analyse back.
func SourceFromProto(in *parserv1.AnalyzeFilesRequest) syntax.Source {
	s := FileFromProto(in.GetFile())
	if in.GetChunk() != nil {
		s.Chunk, s.ChunkTokens = true, int(in.GetChunk().GetMaxTokens())
	}
	return s
}

// FileToProto converts a file without the wish for chunks. Its language is left to be detected.
func FileToProto(s syntax.Source) *parserv1.File {
	return &parserv1.File{Path: valid(s.Path), Content: s.Content}
}

// FileFromProto converts a file back.
func FileFromProto(in *parserv1.File) syntax.Source {
	return syntax.Source{Path: in.GetPath(), Content: in.GetContent()}
}

// AnalysisToProto converts the answer to the file with this number.
func AnalysisToProto(id uint64, a syntax.Analysis) *parserv1.AnalyzeFilesResponse {
	return &parserv1.AnalyzeFilesResponse{Id: id, Facts: FactsToProto(a.Facts), Chunks: ChunksToProto(a.Chunks)}
}

// AnalysisFromProto converts an answer back.
func AnalysisFromProto(in *parserv1.AnalyzeFilesResponse) syntax.Analysis {
	return syntax.Analysis{Facts: FactsFromProto(in.GetFacts()), Chunks: ChunksFromProto(in.GetChunks())}
}

// FactsToProto converts all that is known of a file.
func FactsToProto(f syntax.Facts) *parserv1.FileFacts {
	out := &parserv1.FileFacts{
		Path: valid(f.Path), Language: valid(f.Language), Status: FileStatusToProto(f.Status), Detail: valid(f.Detail),
		Generated: f.Generated, Vendored: f.Vendored, Lines: clampUint32(f.Lines),
		SyntaxErrors: SyntaxErrorsToProto(f.Errors),
	}
	for i := range f.Symbols {
		out.Symbols = append(out.Symbols, SymbolToProto(&f.Symbols[i]))
	}
	for i := range f.References {
		out.References = append(out.References, ReferenceToProto(&f.References[i]))
	}
	for _, i := range f.Imports {
		out.Imports = append(out.Imports, &parserv1.Import{
			Module: valid(i.Module), Alias: valid(i.Alias), Names: validAll(i.Names), Range: RangeToProto(i.Range),
		})
	}
	return out
}

// FactsFromProto converts facts back. An index of a symbol that does not exist becomes -1: nobody need check again.
func FactsFromProto(in *parserv1.FileFacts) syntax.Facts {
	f := syntax.Facts{
		Path: in.GetPath(), Language: in.GetLanguage(), Status: FileStatusFromProto(in.GetStatus()), Detail: in.GetDetail(),
		Generated: in.GetGenerated(), Vendored: in.GetVendored(), Lines: int(in.GetLines()),
		Errors: SyntaxErrorsFromProto(in.GetSyntaxErrors()),
	}
	index := func(i int32) int {
		if i < 0 || int(i) >= len(in.GetSymbols()) {
			return -1
		}
		return int(i)
	}
	for i, s := range in.GetSymbols() {
		symbol := SymbolFromProto(s)
		// A parent stands before its children, so that going up always ends.
		if symbol.Parent = index(s.GetParent()); symbol.Parent >= i {
			symbol.Parent = -1
		}
		f.Symbols = append(f.Symbols, symbol)
	}
	for _, r := range in.GetReferences() {
		reference := ReferenceFromProto(r)
		reference.Enclosing = index(r.GetEnclosing())
		f.References = append(f.References, reference)
	}
	for _, i := range in.GetImports() {
		f.Imports = append(f.Imports, syntax.Import{
			Module: i.GetModule(), Alias: i.GetAlias(), Names: i.GetNames(), Range: RangeFromProto(i.GetRange()),
		})
	}
	return f
}

// SymbolToProto converts a definition.
func SymbolToProto(s *syntax.Symbol) *parserv1.Symbol {
	return &parserv1.Symbol{
		Name: valid(s.Name), Kind: SymbolKindToProto(s.Kind), Range: RangeToProto(s.Range), NameRange: RangeToProto(s.NameRange),
		Container: valid(s.Container), Signature: valid(s.Signature), Parameters: validAll(s.Parameters),
		MinArguments: clampInt32(s.MinArguments), MaxArguments: clampInt32(s.MaxArguments),
		Exported: s.Exported, Doc: valid(s.Doc), Test: s.Test, Parent: clampInt32(s.Parent),
	}
}

// SymbolFromProto converts a definition back, its parent unchecked.
func SymbolFromProto(in *parserv1.Symbol) syntax.Symbol {
	return syntax.Symbol{
		Name: in.GetName(), Kind: SymbolKindFromProto(in.GetKind()),
		Range: RangeFromProto(in.GetRange()), NameRange: RangeFromProto(in.GetNameRange()),
		Container: in.GetContainer(), Signature: in.GetSignature(), Parameters: in.GetParameters(),
		MinArguments: int(in.GetMinArguments()), MaxArguments: int(in.GetMaxArguments()),
		Exported: in.GetExported(), Doc: in.GetDoc(), Test: in.GetTest(), Parent: int(in.GetParent()),
	}
}

// ReferenceToProto converts a use of a name.
func ReferenceToProto(r *syntax.Reference) *parserv1.Reference {
	return &parserv1.Reference{
		Name: valid(r.Name), Kind: ReferenceKindToProto(r.Kind), Receiver: valid(r.Receiver),
		Arguments: clampInt32(r.Arguments), Range: RangeToProto(r.Range), Enclosing: clampInt32(r.Enclosing),
	}
}

// ReferenceFromProto converts a use of a name back, what encloses it unchecked.
func ReferenceFromProto(in *parserv1.Reference) syntax.Reference {
	return syntax.Reference{
		Name: in.GetName(), Kind: ReferenceKindFromProto(in.GetKind()), Receiver: in.GetReceiver(),
		Arguments: int(in.GetArguments()), Range: RangeFromProto(in.GetRange()), Enclosing: int(in.GetEnclosing()),
	}
}

// SyntaxErrorsToProto converts syntax errors.
func SyntaxErrorsToProto(errs []syntax.Error) []*parserv1.SyntaxError {
	var out []*parserv1.SyntaxError
	for _, e := range errs {
		out = append(out, &parserv1.SyntaxError{Range: RangeToProto(e.Range), Message: valid(e.Message)})
	}
	return out
}

// SyntaxErrorsFromProto converts syntax errors back.
func SyntaxErrorsFromProto(in []*parserv1.SyntaxError) []syntax.Error {
	var out []syntax.Error
	for _, e := range in {
		out = append(out, syntax.Error{Range: RangeFromProto(e.GetRange()), Message: e.GetMessage()})
	}
	return out
}

// ChunksToProto converts pieces of a file.
func ChunksToProto(chunks []syntax.Chunk) []*parserv1.CodeChunk {
	var out []*parserv1.CodeChunk
	for _, c := range chunks {
		out = append(out, &parserv1.CodeChunk{
			Id: valid(c.ID), Range: RangeToProto(c.Range), Header: valid(c.Header), Text: valid(c.Text),
			Symbol: valid(c.Symbol), Tokens: clampUint32(c.Tokens),
		})
	}
	return out
}

// ChunksFromProto converts pieces of a file back.
func ChunksFromProto(in []*parserv1.CodeChunk) []syntax.Chunk {
	var out []syntax.Chunk
	for _, c := range in {
		out = append(out, syntax.Chunk{
			ID: c.GetId(), Range: RangeFromProto(c.GetRange()), Header: c.GetHeader(), Text: c.GetText(),
			Symbol: c.GetSymbol(), Tokens: int(c.GetTokens()),
		})
	}
	return out
}

// RangeToProto converts a range.
func RangeToProto(r syntax.Range) *parserv1.Range {
	return &parserv1.Range{
		StartLine: clampUint32(r.StartLine), EndLine: clampUint32(r.EndLine),
		StartByte: clampUint32(r.StartByte), EndByte: clampUint32(r.EndByte),
	}
}

// RangeFromProto converts a range back.
func RangeFromProto(in *parserv1.Range) syntax.Range {
	return syntax.Range{
		StartLine: int(in.GetStartLine()), EndLine: int(in.GetEndLine()),
		StartByte: int(in.GetStartByte()), EndByte: int(in.GetEndByte()),
	}
}

// CheckSuggestionToProto converts the question what replacing lines start to end of a file does to it.
func CheckSuggestionToProto(s syntax.Source, start, end int, replacement string) *parserv1.CheckSuggestionRequest {
	return &parserv1.CheckSuggestionRequest{
		File: FileToProto(s), StartLine: clampUint32(start), EndLine: clampUint32(end), Replacement: valid(replacement),
	}
}

// VerdictFromProto converts the answer to that question. The text is the replacement mended, or empty.
func VerdictFromProto(in *parserv1.CheckSuggestionResponse) (v syntax.Verdict, reindented string) {
	return SuggestionVerdictFromProto(in.GetVerdict()), in.GetReindented()
}

func validAll(in []string) []string {
	var out []string
	for _, s := range in {
		out = append(out, valid(s))
	}
	return out
}
