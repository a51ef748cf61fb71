package org.sulh.tests;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.ar.ArabicAnalyzer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.ru.RussianAnalyzer;
import org.apache.lucene.analysis.tr.TurkishAnalyzer;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.Analysis;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.AnalyzerScope;
import org.elasticsearch.index.analysis.PreBuiltAnalyzerProviderFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.indices.analysis.PreBuiltCacheFactory.CachingStrategy;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/**
 * Gives a test node what the full distribution's analysis-common module would: the analyzers of sulh's five languages,
 * and what the index of Elasticsearch's own security is analysed with. All of it is Lucene's, which the node carries.
 */
public class TestAnalysis extends Plugin implements AnalysisPlugin {

    private interface Language {
        Analyzer with(CharArraySet stopwords, CharArraySet unstemmed);
    }

    private record Of(CharArraySet stopwords, Language language) {}

    private static final Map<String, Of> LANGUAGES = Map.of(
        "arabic", new Of(ArabicAnalyzer.getDefaultStopSet(), ArabicAnalyzer::new),
        "english", new Of(EnglishAnalyzer.getDefaultStopSet(), EnglishAnalyzer::new),
        "french", new Of(FrenchAnalyzer.getDefaultStopSet(), FrenchAnalyzer::new),
        "russian", new Of(RussianAnalyzer.getDefaultStopSet(), RussianAnalyzer::new),
        "turkish", new Of(TurkishAnalyzer.getDefaultStopSet(), TurkishAnalyzer::new)
    );

    private record Provided(String name, Analyzer analyzer) implements AnalyzerProvider<Analyzer> {
        @Override
        public AnalyzerScope scope() {
            return AnalyzerScope.INDEX;
        }

        @Override
        public Analyzer get() {
            return analyzer;
        }
    }

    /** As types, for an index that settles its own stop words or words not to be stemmed. */
    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> analyzers = new HashMap<>();
        LANGUAGES.forEach((language, of) -> analyzers.put(language, (index, environment, name, settings) -> {
            CharArraySet stopwords = Analysis.parseStopWords(environment, settings, of.stopwords());
            CharArraySet unstemmed = Analysis.parseStemExclusion(settings, CharArraySet.EMPTY_SET);
            return new Provided(name, of.language().with(stopwords, unstemmed));
        }));
        return analyzers;
    }

    /** By name, for a mapping that just says which language. */
    @Override
    public List<PreBuiltAnalyzerProviderFactory> getPreBuiltAnalyzerProviderFactories() {
        List<PreBuiltAnalyzerProviderFactory> factories = new ArrayList<>();
        LANGUAGES.forEach((language, of) -> factories.add(new PreBuiltAnalyzerProviderFactory(
            language, CachingStrategy.ONE, () -> of.language().with(of.stopwords(), CharArraySet.EMPTY_SET))));
        return factories;
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "asciifolding", (index, environment, name, settings) -> {
                boolean original = settings.getAsBoolean("preserve_original", false);
                return filter(name, tokens -> new ASCIIFoldingFilter(tokens, original));
            },
            // Elasticsearch's own drops a repeated word anywhere, this one only where it stands: a hit is a hit all the same.
            "unique", (index, environment, name, settings) -> filter(name, RemoveDuplicatesTokenFilter::new),
            "pattern_capture", AnalysisPlugin.requiresAnalysisSettings(
                (index, environment, name, settings) -> patternCapture(name, settings))
        );
    }

    private static TokenFilterFactory patternCapture(String name, Settings settings) {
        boolean original = settings.getAsBoolean("preserve_original", true);
        Pattern[] patterns = settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
        return filter(name, tokens -> new PatternCaptureGroupTokenFilter(tokens, original, patterns));
    }

    private static TokenFilterFactory filter(String name, UnaryOperator<TokenStream> filter) {
        return new TokenFilterFactory() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public TokenStream create(TokenStream tokens) {
                return filter.apply(tokens);
            }
        };
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (index, environment, name, settings) ->
            TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }
}
