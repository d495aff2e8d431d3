package content

// The words of an administration. Changing them changes every message: then older messages can no longer be checked.

// openings begin a sentence, before its subject.
var openings = []string{"", "", "", "", "Ainsi, ", "De plus, ", "En outre, ", "Par ailleurs, ", "À ce titre, ", "Dès lundi, ", "Cette année, ", "Enfin, ", "Sauf avis contraire, ", "Comme convenu, "}

// subjects are in the third person singular; the first letter is lower case unless it is a name.
var subjects = []string{
	"le service du courrier", "la direction", "la sous-direction", "le secrétariat général", "le bureau des marchés", "la commission",
	"le comité de suivi", "la préfecture", "la mairie", "le greffe", "le service financier", "l'inspection générale",
	"la cellule informatique", "le bureau du personnel", "la trésorerie", "l'agence comptable", "le cabinet", "la délégation",
	"le conseil régional", "le groupe de travail", "la mission d'appui", "le centre de gestion", "le service juridique",
	"l'administration", "la division du budget", "le pôle logistique", "le contrôle interne", "la régie", "le guichet unique",
	"l'établissement", "le service des archives", "la section technique", "le correspondant local", "la hiérarchie", "l'équipe de projet",
	"le bureau d'ordre", "la perception", "le laboratoire", "la subdivision", "le service d'accueil",
}

// verbs take an object from objects.
var verbs = []string{
	"transmettra", "examine", "a validé", "a reçu", "prépare", "publiera", "corrige", "complète", "attend", "archive", "a signé",
	"diffusera", "vérifie", "demande", "présentera", "annule", "reporte", "finance", "évalue", "a mis à jour", "confirme", "instruit",
	"contrôle", "adresse", "renouvelle", "suspend", "modifie", "a rejeté", "rappelle", "consulte",
}

var objects = []string{
	"le rapport annuel", "la note de service", "l'ordre de mission", "le projet de décret", "la facture", "le bon de commande",
	"le compte rendu", "l'avis motivé", "la convention", "le calendrier", "le dossier complet", "la liste du matériel",
	"l'état des effectifs", "la demande de congé", "le budget primitif", "la circulaire", "l'arrêté", "le tableau de bord",
	"la fiche de poste", "le plan de formation", "le registre", "l'inventaire", "le procès-verbal", "la convocation",
	"les pièces jointes", "les crédits ouverts", "les délais prévus", "le cahier des charges", "l'appel d'offres", "la notice",
	"le relevé mensuel", "l'attestation", "la décision", "le visa", "le mandat", "la quittance", "le barème", "l'échéancier",
	"les statistiques", "les indicateurs", "le bordereau", "le schéma directeur", "la synthèse", "l'autorisation",
}

// topics are subjects of messages and names of files.
var topics = []string{
	"Ordre du jour", "Compte rendu de réunion", "Note de service", "Demande de congé", "Bon de commande", "Projet de décret",
	"Rapport mensuel", "Convocation", "Calendrier des travaux", "Plan de formation", "État des effectifs", "Appel d'offres",
	"Marché de fournitures", "Relevé des dépenses", "Mise à jour du registre", "Inventaire du matériel", "Avis de réception",
	"Dossier à compléter", "Demande d'attestation", "Budget primitif", "Tableau de bord", "Procès-verbal", "Fiche de poste",
	"Réservation de salle", "Panne du réseau", "Transmission de pièces", "Visa du contrôle", "Ordre de mission",
}

var greetings = []string{"Bonjour,", "Madame, Monsieur,", "Bonjour à toutes et à tous,", "Chers collègues,", "Mesdames, Messieurs,"}

var closings = []string{"Cordialement,", "Bien à vous,", "Avec mes salutations distinguées,", "Je vous remercie de votre retour.", "Bonne réception,"}

// files are kinds of attachments: extension and media type.
var files = [][2]string{
	{"pdf", "application/pdf"},
	{"odt", "application/vnd.oasis.opendocument.text"},
	{"ods", "application/vnd.oasis.opendocument.spreadsheet"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"jpg", "image/jpeg"},
	{"zip", "application/zip"},
}
