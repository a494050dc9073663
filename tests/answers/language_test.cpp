#include "answers/language.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "answers/language_words.h"

namespace fathom {
namespace {

std::string language(std::string_view text) {
  return language_of(text).value_or("unknown");
}

TEST(Language, IsByScriptWhereThatTells) {
  EXPECT_EQ(language("สวัสดีตอนเช้า"), "th");
  EXPECT_EQ(language("ನಮಸ್ಕಾರ ಬೆಂಗಳೂರು"), "kn");
  EXPECT_EQ(language("안녕하세요 여러분 Seoul"), "ko");
  EXPECT_EQ(language("今日はとても天気がいいです"), "ja");
  EXPECT_EQ(language("今天天气很好，我们去公园"), "zh");
  EXPECT_EQ(language("Καλημέρα κόσμε"), "el");
}

TEST(Language, IsByCommonWordsAmongThoseOfOneScript) {
  EXPECT_EQ(language("The cat sleeps on the mat, and it is warm."), "en");
  EXPECT_EQ(language("THIS IS WRITTEN IN CAPITALS FOR ALL OF YOU"), "en");
  EXPECT_EQ(language("Die Katze schläft auf dem Sofa und ist nicht wach."), "de");
  EXPECT_EQ(language("Le chat dort sur le canapé et il est heureux."), "fr");
  EXPECT_EQ(language("El gato duerme en la casa y no quiere salir."), "es");
  EXPECT_EQ(language("O gato dorme em casa e não quer sair com você."), "pt");
  EXPECT_EQ(language("Il gatto dorme nella casa e non vuole uscire."), "it");
  EXPECT_EQ(language("Kissa nukkuu sohvalla, mutta se ei ole väsynyt ja hän on iloinen."), "fi");
  EXPECT_EQ(language("CON MÈO NGỦ TRONG NHÀ VÀ KHÔNG MUỐN RA NGOÀI"), "vi");
  EXPECT_EQ(language("Paka analala katika nyumba na watu wa kijiji."), "sw");
  EXPECT_EQ(language("Кошка спит на диване, и она не хочет гулять."), "ru");
  EXPECT_EQ(language("КОТКАТА СПИ НА ДИВАНА И НЕ ИСКА ДА СЕ РАЗХОЖДА С НАС"), "bg");
  EXPECT_EQ(language("बिल्ली घर में सोती है और वह बाहर नहीं जाती"), "hi");
  EXPECT_EQ(language("मांजर घरात झोपले आहे आणि ते बाहेर जात नाही"), "mr");
  EXPECT_EQ(language("यो बिरालो घरमा छ र बाहिर जान चाहँदैन, तर भएको छ"), "ne");
  EXPECT_EQ(language("القطة تنام في البيت ولا تريد أن تخرج من هذا المكان"), "ar");
  EXPECT_EQ(language("گربه در خانه است و نمی خواهد که از آن بیرون برود"), "fa");
  EXPECT_EQ(language("بلی گھر میں ہے اور وہ باہر نہیں جاتی"), "ur");
}

TEST(Language, OfMostLettersDecides) {
  EXPECT_EQ(language("मैं Bombay और Delhi में रहता हूँ, यह बहुत बड़ा है"), "hi");
  EXPECT_EQ(language("The word \u732b is Chinese for the animal that we call a cat."), "en");
}

TEST(Language, IsUnknownWhereNothingTells) {
  EXPECT_EQ(language(""), "unknown");
  EXPECT_EQ(language("12 + 30 = 42 !?"), "unknown");
  EXPECT_EQ(language("Lorem ipsum dolor"), "unknown");
  EXPECT_EQ(language("Zebra in Berlin"), "unknown");  // "in" is English, German, Italian, Dutch
  // One common word in many is chance.
  EXPECT_EQ(
      language("the Bxq Cxq Dxq Fxq Gxq Hxq Jxq Kxq Lxq Mxq Nxq Pxq Rxq Sxq Txq Vxq Wxq Xxq Yxq Zxq Qxq"),
      "unknown");
  EXPECT_TRUE(is_known_language("sw"));
  EXPECT_FALSE(is_known_language("xx"));
}

TEST(Language, NoWordIsListedTwice) {
  for (const LanguageWords& l : language_words()) {
    std::istringstream words{std::string(l.words)};
    std::set<std::string> seen;
    for (std::string word; words >> word;) EXPECT_TRUE(seen.insert(word).second) << l.code << " " << word;
  }
}

}  // namespace
}  // namespace fathom
