"""What a letter must say, in the words that it says it in: the rows of the business's table, and of the licences."""

# notice → language → what its row of the business's table asks for, in the fullest example.
ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "complaint-acknowledged": {
        "en": (
            "within five business days",
            "Thursday, 21 January 2027 at the latest, four weeks after",
            "Thursday, 18 February 2027 at the latest, eight weeks after",
            "We may ask you for more information",
            "in confidence",
            "no effect on how we treat you",
        ),
        "fr": (
            "délai de cinq jours ouvrables",
            "jeudi 21 janvier 2027, soit quatre semaines après",
            "jeudi 18 février 2027, soit huit semaines après",
            "informations complémentaires",
            "confidentielle",
            "aucun effet sur la façon dont nous vous traitons",
        ),
        "nl": (
            "binnen vijf werkdagen",
            "donderdag 21 januari 2027, vier weken nadat",
            "donderdag 18 februari 2027, acht weken nadat",
            "meer informatie",
            "vertrouwelijk",
            "geen invloed op de manier waarop wij met u omgaan",
        ),
        "de": (
            "innerhalb von fünf Arbeitstagen",
            "Donnerstag, 21. Januar 2027, also innerhalb von vier Wochen nach",
            "Donnerstag, 18. Februar 2027, also innerhalb von acht Wochen nach",
            "weitere Angaben",
            "vertraulich",
            "keinen Einfluss darauf, wie wir mit Ihnen umgehen",
        ),
    },
    "complaint-information-requested": {
        "en": ("your contract details, such as your personal reference number", "further information", "stay the same"),
        "fr": ("votre numéro de référence personnel", "d\u2019autres informations", "restent les mêmes"),
        "nl": ("uw persoonlijk referentienummer", "andere informatie", "blijven dezelfde"),
        "de": ("Ihre persönliche Referenznummer", "weitere Angaben", "bleiben gleich"),
    },
    "complaint-resolved-early": {
        "en": (
            "resolved within three business days",
            "confirm this to you in writing",
            "from the date of this letter",
        ),
        "fr": ("résolue dans un délai de trois jours ouvrables", "par écrit", "à compter de la date de cette lettre"),
        "nl": (
            "uw klacht binnen drie werkdagen na ontvangst opgelost",
            "schriftelijk",
            "vanaf de datum van deze brief",
        ),
        "de": (
            "innerhalb von drei Arbeitstagen nach ihrem Eingang beigelegt",
            "schriftlich",
            "ab dem Datum dieses Schreibens",
        ),
    },
    "complaint-still-investigating": {
        "en": ("four weeks", "our investigation continues", "Thursday, 18 February 2027"),
        "fr": ("quatre semaines", "notre examen se poursuit", "jeudi 18 février 2027"),
        "nl": ("vier weken", "ons onderzoek gaat door", "donderdag 18 februari 2027"),
        "de": ("vier Wochen", "Unsere Prüfung dauert an", "Donnerstag, 18. Februar 2027"),
    },
    "complaint-final-decision": {
        "en": (
            "our final response",
            "Our decision and our reasons",
            "If you are not satisfied",
            "legal rights are not",
        ),
        "fr": ("notre réponse définitive", "Notre décision et nos motifs", "ne vous satisfait pas", "droits légaux"),
        "nl": ("ons definitieve antwoord", "Onze beslissing en onze redenen", "niet tevreden", "wettelijke rechten"),
        "de": (
            "unsere abschließende Antwort",
            "Entscheidung und unsere Gründe",
            "nicht zufrieden",
            "gesetzlichen Rechte",
        ),
    },
    "complaint-no-decision-yet": {
        "en": ("Why we need longer", "decision by Friday, 12 February 2027"),
        "fr": ("Pourquoi il nous faut plus de temps", "au plus tard le vendredi 12 février 2027"),
        "nl": ("Waarom hebben wij meer tijd nodig?", "uiterlijk op vrijdag 12 februari 2027"),
        "de": ("Warum wir länger brauchen", "spätestens am Freitag, 12. Februar 2027"),
    },
    "complaint-not-covered": {
        "en": ("our complaints procedure does not cover", "Our customer service can help you further"),
        "fr": (
            "notre procédure de traitement des plaintes ne s\u2019applique pas",
            "Notre service clientèle peut vous aider",
        ),
        "nl": ("niet onder onze klachtenprocedure valt", "Onze klantendienst kan u verder helpen"),
        "de": ("für den unser Beschwerdeverfahren nicht gilt", "Unser Kundenservice kann Ihnen weiterhelfen"),
    },
    "complaint-forwarded": {
        language: (
            why,
            "Example Travel Insurance Ltd",
            "1 Sample Road, Bristol BS1 1AA",
            "complaints@travel.example.test",
            "+44 117 496 0000",
            "travel.example.test/complaints",
        )
        for language, why in {
            "en": "Why we have done so",
            "fr": "Pourquoi nous l\u2019avons transmise",
            "nl": "Waarom hebben wij dat gedaan?",
            "de": "Warum wir das getan haben",
        }.items()
    },
    "deadline-approaching": {
        "en": (
            "c-2026-004711",
            "CMP 4711/26",
            "United Kingdom",
            "Tuesday, 26 January 2027",
            "27 January 2027 at 00:00",
            "final response",
            "why there is no decision yet",
        ),
        "fr": (
            "c-2026-004711",
            "CMP 4711/26",
            "Royaume-Uni",
            "mardi 26 janvier 2027",
            "27 janvier 2027 à 00:00",
            "réponse définitive",
            "pourquoi il n\u2019y a pas encore de décision",
        ),
        "nl": (
            "c-2026-004711",
            "CMP 4711/26",
            "Verenigd Koninkrijk",
            "dinsdag 26 januari 2027",
            "27 januari 2027 om 00:00",
            "definitief antwoord",
            "waarom er nog geen beslissing is",
        ),
        "de": (
            "c-2026-004711",
            "CMP 4711/26",
            "Vereinigtes Königreich",
            "Dienstag, 26. Januar 2027",
            "27. Januar 2027 um 00:00 Uhr",
            "abschließende Antwort",
            "warum es noch keine Entscheidung gibt",
        ),
    },
    "deadline-missed": {
        "en": ("c-2026-004711", "acknowledgement", "Tuesday, 8 December 2026", "9 December 2026 at 00:00", "Send what"),
        "fr": ("c-2026-004711", "accusé de réception", "mardi 8 décembre 2026", "9 décembre 2026 à 00:00", "Envoyez"),
        "nl": (
            "c-2026-004711",
            "ontvangstbevestiging",
            "dinsdag 8 december 2026",
            "9 december 2026 om 00:00",
            "Verstuur",
        ),
        "de": (
            "c-2026-004711",
            "Eingangsbestätigung",
            "Dienstag, 8. Dezember 2026",
            "9. Dezember 2026 um 00:00 Uhr",
            "Senden",
        ),
    },
    "letter-bounced": {
        "en": ("c-2026-004711", "acknowledgement", "1 December 2026 at 11:04", "open again"),
        "fr": ("c-2026-004711", "accusé de réception", "1er décembre 2026 à 11:04", "de nouveau à respecter"),
        "nl": ("c-2026-004711", "ontvangstbevestiging", "1 december 2026 om 11:04", "loopt weer"),
        "de": (
            "c-2026-004711",
            "Eingangsbestätigung",
            "1. Dezember 2026 um 11:04 Uhr",
            "läuft wieder",
        ),
    },
    "letter-to-post": {
        "en": ("c-2026-004728", "Amara Okafor", "final response", "by Tuesday, 26 January 2027", "record when it left"),
        "fr": (
            "c-2026-004728",
            "Amara Okafor",
            "réponse définitive",
            "le mardi 26 janvier 2027",
            "preuve d\u2019envoi",
        ),
        "nl": ("c-2026-004728", "Amara Okafor", "definitief antwoord", "op dinsdag 26 januari 2027", "bewijs"),
        "de": (
            "c-2026-004728",
            "Amara Okafor",
            "abschließende Antwort",
            "am Dienstag, 26. Januar 2027",
            "Versandbeleg",
        ),
    },
}

# What the insurer prints of each ombudsman.
PRINTED = {
    "uk": (
        "Financial Ombudsman Service",
        "Exchange Tower, London E14 9SR",
        "complaint.info@financial-ombudsman.org.uk",
        "+44 20 7964 0500",
        "0800 023 4567 · 0300 123 9123",
        "www.financial-ombudsman.org.uk",
    ),
    "be": (
        "Ombudsman des Assurances / van de Verzekeringen",
        "Square de Meeûs 35, 1000 Brussels",
        "info@ombudsman.as",
        "+32 2 547 58 71",
        "www.ombudsman.as",
    ),
    "je": (
        "Channel Islands Financial Ombudsman",
        "PO Box 114, Jersey JE4 9QC",
        "complaints@ci-fo.org",
        "+44 1534 748610",
        "www.ci-fo.org",
    ),
}
SAID: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "uk": (
            "eight weeks have passed since",
            "You have six months from our final response",
            "binds us, but it does not",
        ),
        "be": ("binds neither you nor us",),
        "je": (
            "three months have passed since",
            "You have six months from our final response",
            "subject to conditions",
        ),
    },
    "fr": {
        "uk": (
            "huit semaines après le jour où nous avons reçu",
            "six mois à compter de notre réponse définitive",
            "ne vous lie pas",
        ),
        "be": ("ne lie ni vous ni nous",),
        "je": (
            "trois mois après le jour où nous avons reçu",
            "six mois à compter de notre réponse définitive",
            "soumis à des conditions",
        ),
    },
    "nl": {
        "uk": (
            "acht weken nadat wij",
            "zes maanden de tijd vanaf ons definitieve antwoord",
            "is bindend voor ons, maar niet voor u",
        ),
        "be": ("noch voor u noch voor ons bindend is",),
        "je": ("drie maanden nadat wij", "zes maanden de tijd vanaf ons definitieve antwoord", "voorwaarden verbonden"),
    },
    "de": {
        "uk": (
            "nach Ablauf von acht Wochen seit",
            "sechs Monaten ab unserer abschließenden Antwort",
            "bindet uns, aber nicht Sie",
        ),
        "be": ("weder Sie noch uns bindet",),
        "je": (
            "nach Ablauf von drei Monaten seit",
            "sechs Monaten ab unserer abschließenden Antwort",
            "gelten Bedingungen",
        ),
    },
}
